// A table of a few columns that is wider than the page, as on a phone, stands as a list of its rows,
// each cell under the name of its column. Wide tables of numbers go on to scroll in their frame.
const MOST_COLUMNS = 5;

function fit(table) {
  table.classList.remove("as-list");
  const frame = table.parentElement;
  table.classList.toggle("as-list", frame.scrollWidth > frame.clientWidth);
}

function tables() {
  return [...document.querySelectorAll("article table.docutils")].filter((table) => {
    const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent);
    for (const row of table.querySelectorAll("tbody tr")) {
      [...row.cells].forEach((cell, n) => {
        cell.dataset.head = heads.length > 2 && heads[n] ? `${heads[n]}: ` : "";
        cell.classList.toggle("empty", !cell.textContent.trim());
      });
    }
    table.classList.toggle("of-pairs", heads.length === 2);
    return heads.length <= MOST_COLUMNS;
  });
}

window.addEventListener("DOMContentLoaded", () => {
  const few = tables();
  const fitAll = () => few.forEach(fit);
  fitAll();
  window.addEventListener("resize", fitAll);
});
