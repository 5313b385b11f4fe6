"""A file that was cut is told from a whole one by what it says of itself."""

from __future__ import annotations

import base64
import struct
import subprocess
import sys
import tracemalloc
import zlib
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecephys_dal.artifacts.formats import FileFormat, MalformedError
from ecephys_dal.artifacts.verify import looks_like_html, needed_bytes
from ecephys_dal.testing.content import natural_movie, natural_scene, probe_lfp_nwb, session_nwb

HDF5, NPY, TIFF = FileFormat.HDF5, FileFormat.NPY, FileFormat.TIFF
# A file that holds a = 7, written by HDF5 with other than the usual rank of its B-trees.
SUPERBLOCK_1 = (
    "c-rgqaB<`1lHy`y00IsU1{MYZ5R1Wq0RjF)0Z<x+50g)U(u`2L2THGDf{8PN<s_iuf>1lq)rADPx`I^yM*}c>OjsZ^"
    "2g4{BiNM3vF#tqIK=}et`V14Qx<s_}=s}^qj0~(0vlwA~4ixj5fi3~D1vp@76Owyafjp2n6B838dqHymGt2;tl)PX_"
    "#6z&3zY8Ng6c`v(m`Bs*C>RAp5wJsP0L-5(O8"
)
LIBVERS = ("earliest", "v108", "v110", "latest")


class Reader:
    """Gives the bytes of a content, as far as they are kept, and minds what it is asked for."""

    def __init__(self, content: bytes, kept: int | None = None) -> None:
        self.content = memoryview(content)[:kept]
        self.asked = self.calls = 0

    def __call__(self, offset: int, n: int) -> bytes:
        assert 0 <= n <= 8 * 2**20, "more than may be held"
        assert 0 <= offset <= 2**63 - 1 - n, "no file has such an offset"
        self.asked += n
        self.calls += 1
        assert self.asked <= 65 * 2**20, "more than directories need"
        assert self.calls <= 200_000, "a loop"
        return bytes(self.content[offset : offset + n])


def needed(file_format: FileFormat, content: bytes, kept: int | None = None) -> int | None:
    return needed_bytes(file_format, Reader(content, kept))


def assert_told_from_its_parts(file_format: FileFormat, whole: bytes, unused: int = 0) -> None:
    """The whole file is long enough, and a part of it is not, be it one byte shorter."""
    used = len(whole) - unused
    assert needed(file_format, whole) == used
    assert needed(file_format, whole[: used - 1]) == used
    for size in (used // 2, used // 3):
        found = needed(file_format, whole[:size])
        assert found is None or size < found <= used, size


def hdf5(
    folder: Path, libver: str = "earliest", userblock: int = 0, sizes: int | None = None
) -> bytes:
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    low = {
        "earliest": h5py.h5f.LIBVER_EARLIEST,
        "v108": h5py.h5f.LIBVER_V18,
        "v110": h5py.h5f.LIBVER_V110,
        "latest": h5py.h5f.LIBVER_LATEST,
    }[libver]
    access.set_libver_bounds(low, h5py.h5f.LIBVER_LATEST)
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_userblock(userblock)
    if sizes:
        creation.set_sizes(sizes, sizes)
    path = folder / "file.h5"
    with h5py.File(h5py.h5f.create(bytes(path), h5py.h5f.ACC_TRUNC, creation, access)) as file:
        file["voltage"] = np.arange(5000, dtype="f4" if sizes != 2 else "i1") % 100
    return path.read_bytes()


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    written = BytesIO()
    np.lib.format.write_array(written, array, version)
    return written.getvalue()


def tiff(pages: int = 1, **options: object) -> bytes:
    written = BytesIO()
    images = np.arange(pages * 64 * 80, dtype=np.uint16).reshape(pages, 64, 80)
    tifffile.imwrite(written, images, photometric="minisblack", **options)
    return written.getvalue()


# -- HDF5 ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("userblock", [0, 512, 4096])
@pytest.mark.parametrize("libver", LIBVERS)
def test_hdf5_reaches_to_its_end_of_file_address(
    tmp_path: Path, libver: str, userblock: int
) -> None:
    whole = hdf5(tmp_path, libver, userblock)
    assert whole[userblock + 8] == {"earliest": 0, "v108": 2}.get(libver, 3), "another superblock"
    assert_told_from_its_parts(HDF5, whole)
    assert HDF5.begins(whole[: 64 * 1024])


@pytest.mark.parametrize("sizes", [2, 4, 8, 16])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_hdf5_has_addresses_of_several_sizes(tmp_path: Path, libver: str, sizes: int) -> None:
    assert_told_from_its_parts(HDF5, hdf5(tmp_path, libver, sizes=sizes))


def test_hdf5_of_superblock_1(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    path.write_bytes(zlib.decompress(base64.b85decode(SUPERBLOCK_1)))
    with h5py.File(path) as file:
        assert file["a"][()] == 7
    assert path.read_bytes()[8] == 1
    assert_told_from_its_parts(HDF5, path.read_bytes())


@pytest.mark.parametrize("libver", LIBVERS)
def test_a_block_put_before_an_hdf5_file_later_counts(tmp_path: Path, libver: str) -> None:
    """As h5jam does: the superblock is left as it was."""
    path = tmp_path / "jammed.h5"
    path.write_bytes(bytes(1024) + hdf5(tmp_path, libver))
    with h5py.File(path) as file:
        assert file["voltage"][7] == 7
    assert_told_from_its_parts(HDF5, path.read_bytes())


@pytest.mark.parametrize("content", [session_nwb(1), probe_lfp_nwb(2)])
def test_nwb_files_are_told_from_their_parts(content: bytes) -> None:
    assert_told_from_its_parts(HDF5, content)


def test_an_hdf5_file_may_be_longer_than_it_needs() -> None:
    content = session_nwb(1)
    assert needed(HDF5, content + b"more") == len(content)


def test_hdf5_of_undefined_length_or_unknown_version_tells_nothing(tmp_path: Path) -> None:
    whole = bytearray(hdf5(tmp_path, "latest"))
    undefined, not_closed, unknown = whole.copy(), whole.copy(), whole.copy()
    undefined[28:36] = b"\xff" * 8
    not_closed[28:36] = bytes(8)
    unknown[8] = 4
    assert [needed(HDF5, bytes(x)) for x in (undefined, not_closed, unknown)] == [None] * 3


def test_hdf5_with_addresses_of_no_size_is_malformed(tmp_path: Path) -> None:
    whole = bytearray(hdf5(tmp_path, "latest"))
    whole[9] = 3
    with pytest.raises(MalformedError, match="3 bytes"):
        needed(HDF5, bytes(whole))


def test_a_cut_superblock_still_needs_its_rest() -> None:
    content = session_nwb(1)
    for size in range(8, 56):
        assert size < (needed(HDF5, content[:size]) or 0)


# -- NPY -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(600, dtype=">i4").reshape(20, 30),
        np.asfortranarray(np.ones((7, 11, 13), np.float32)),
        np.array(["VISp", "LGd"] * 100),
        np.zeros(4, [("µV \\ '", "<f4"), ('"', "<f4")]),
        np.array(5.0),
        np.arange("2018-06-27", "2018-08-27", dtype="M8[D]"),
        np.zeros(40, [("peak", "<f4"), ("channel", "<i2", (3,)), ("where", [("x", "<f8")])]),
        np.zeros(9, np.dtype({"names": ["a"], "formats": ["<i2"], "offsets": [6], "itemsize": 16})),
    ],
    ids=lambda array: str(array.dtype),
)
def test_npy_needs_its_header_and_its_array(array: np.ndarray, version: tuple[int, int]) -> None:
    assert_told_from_its_parts(NPY, npy(array, version))


@settings(deadline=None)
@given(
    hnp.arrays(
        hnp.scalar_dtypes() | hnp.array_dtypes() | hnp.byte_string_dtypes(max_len=20),
        hnp.array_shapes(min_dims=0, min_side=0),
    ),
    st.booleans(),
)
def test_npy_of_any_dtype_and_shape(array: np.ndarray, fortran: bool) -> None:
    whole = npy(np.asfortranarray(array) if fortran else array, (3, 0))
    assert needed(NPY, whole) == len(whole)
    for size in range(10, len(whole), 1 + len(whole) // 10):
        assert size < (needed(NPY, whole[:size]) or 0) <= len(whole)


def test_an_array_of_objects_may_have_any_length() -> None:
    assert needed(NPY, npy(np.array([{}, None], object))) is None


def test_npy_as_python_2_wrote_it() -> None:
    whole = npy(np.zeros((304, 608), np.uint8)).replace(b"(304, 608), }  ", b"(304L, 608L), }")
    assert b"304L" in whole
    assert_told_from_its_parts(NPY, whole)


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode()


def test_a_header_that_numpy_would_not_read_either_still_counts() -> None:
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}".ljust(10_001)
    assert needed(NPY, header(text)) == 10 + len(text)
    assert needed(NPY, header(text[:-1])) == 10 + len(text) - 1 + 24


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{'descr': '<f8', 'shape': (3,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 3}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': [3]}",
        "{'descr': '<q9', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': 'U2147483647', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': __import__('os'), 'fortran_order': False, 'shape': (3,)}",
        "(" * 9000,
        "-" * 9000 + "1",
        "1+" * 4500 + "1",
        "() " * 3000,
        "[0]" * 3000,
        "9" * 9000 + "x",
        "'" * 8999,
        "\\d'",
        "\0",
    ],
)
def test_npy_with_another_header_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError, match="describes no array"):
        needed(NPY, header(text))


def test_no_header_kills_a_thread_of_small_stack() -> None:
    """As threads have on some systems: Python's parser can overrun it."""
    program = r"""
import struct, threading
from ecephys_dal.artifacts.formats import FileFormat, MalformedError
from ecephys_dal.artifacts.verify import needed_bytes

def read(text):
    content = b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text.encode()
    try:
        needed_bytes(FileFormat.NPY, lambda offset, n: content[offset : offset + n])
    except MalformedError as error:
        malformed.append(error)

malformed = []
texts = ["-" * 9999 + "1", "1+" * 4999 + "1", "a." * 4999 + "a", "()" * 5000, "[" * 100 + "]" * 100]
thread = threading.Thread(target=lambda: [*map(read, texts)])
threading.stack_size(512 * 1024)
thread.start()
thread.join()
assert len(malformed) == len(texts)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)  # noqa: S603


def test_a_huge_array_is_not_made_to_know_its_length() -> None:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**30}, 2)}}"
    assert needed(NPY, header(text)) == 10 + len(text) + 16 * 10**30
    assert needed(NPY, b"\x93NUMPY\x02\0\xff\xff\xff\xff{}") == 12 + 2**32 - 1
    assert needed(NPY, b"\x93NUMPY\x09\0\xff\xff\xff\xff{}") is None


# -- TIFF ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rowsperstrip": 5},
        {"tile": (16, 32)},
        {"pages": 5, "tile": (32, 32), "contiguous": False},
        {"pages": 7, "rowsperstrip": 9, "compression": "zlib"},
        {"description": "x" * 5000, "rowsperstrip": 1},
    ],
    ids=str,
)
def test_tiff_reaches_to_its_furthest_part(
    options: dict[str, object], byteorder: str, bigtiff: bool
) -> None:
    whole = tiff(**options, byteorder=byteorder, bigtiff=bigtiff)  # type: ignore[arg-type]
    assert TIFF.begins(whole[:8])
    assert_told_from_its_parts(TIFF, whole)


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_with_its_directory_at_the_end(order: str) -> None:
    whole = directory_at_the_end(order)
    assert tifffile.imread(BytesIO(whole)).tolist() == [[x % 256 for x in range(70_000)]]
    assert_told_from_its_parts(TIFF, whole)
    start_of_directory = len(whole) - 2 - 12 * 8 - 4
    found = needed(TIFF, whole, kept=64 * 1024)
    assert found is not None
    assert start_of_directory < found <= len(whole)


def directory_at_the_end(order: str = "<") -> bytes:
    pixels = bytes(x % 256 for x in range(70_000))
    tags = {256: 70_000, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 278: 1, 279: 70_000}
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, n) for tag, n in tags.items())
    magic = b"II*\0" if order == "<" else b"MM\0*"
    start = magic + struct.pack(f"{order}I", 8 + len(pixels)) + pixels
    return start + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


def test_contiguous_pages_of_a_tiff() -> None:
    # tifffile writes the resolution of the second page, and names only that of the first.
    assert_told_from_its_parts(TIFF, tiff(pages=7), unused=16)


def test_a_directory_beside_the_chain_counts() -> None:
    """The reduced image of a page is in a directory that only the page names."""
    written = BytesIO()
    with tifffile.TiffWriter(written) as writer:
        writer.write(np.zeros((64, 64), np.uint8), subifds=1)
        writer.write(np.zeros((32, 32), np.uint8), subfiletype=1)
    assert_told_from_its_parts(TIFF, written.getvalue())


def chain(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    directory = struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8) + directory


ANY = (256, 4, 1, 80)


def test_directories_in_a_circle_end() -> None:
    assert needed(TIFF, chain(ANY, following=8)) == 8 + 18
    assert needed(TIFF, chain((330, 4, 1, 8), following=8)) == 8 + 18
    two = chain(ANY, following=26) + chain(ANY, following=8)[8:]
    assert needed(TIFF, two) == 8 + 18 + 18


@pytest.mark.slow
def test_more_directories_than_any_movie_has_end() -> None:
    links = range(8, 8 + 18 * 2**17, 18)
    content = b"II*\0" + struct.pack("<I", 8)
    content += b"".join(struct.pack("<HHHIII", 1, *ANY, at + 18) for at in links)
    found = needed(TIFF, content)
    assert found is not None
    assert 2**20 < found <= len(content)


def test_directories_that_share_a_huge_table_end() -> None:
    """Each of many directories names the same 4 MiB of offsets."""
    table = 2**20
    link = struct.Struct("<HHHIIHHIII")
    n, start = 2**12, 8 + 4 * table
    ats = [start + i * link.size for i in range(n)]
    links = (link.pack(2, 273, 4, table, 8, 279, 4, table, 8, at + link.size) for at in ats)
    content = b"II*\0" + struct.pack("<I", start) + bytes(4 * table) + b"".join(links)
    assert needed(TIFF, content) is not None


@pytest.mark.slow
def test_directories_that_name_each_other_are_not_piled_up() -> None:
    """Each of many directories names a hundred of the others, again and again."""
    n, names = 2**10, 256
    link = struct.Struct(f"<HHHIII{names}I")
    ats = range(8, 8 + n * link.size, link.size)
    content = b"II*\0" + struct.pack("<I", 8)
    content += b"".join(
        link.pack(1, 330, 4, names, at + 18, 0, *(ats[(i + 1 + k) % n] for k in range(names)))
        for i, at in enumerate(ats)
    )
    tracemalloc.start()
    assert needed(TIFF, content) is not None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * 2**20


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        *((1, 1), (2, 1), (3, 2), (4, 4), (5, 8), (6, 1), (7, 1), (8, 2), (9, 4), (10, 8)),
        *((11, 4), (12, 8), (13, 4), (16, 8), (17, 8), (18, 8)),
    ],
)
def test_values_outside_of_a_directory_count(kind: int, size: int) -> None:
    assert needed(TIFF, chain((700, kind, 9, 5000))) == 5000 + 9 * size


def test_claims_of_a_tiff_are_not_allocated() -> None:
    many = 2**32 - 1
    big = b"II+\0" + struct.pack("<HHQ", 8, 0, 16)
    tracemalloc.start()
    strips = needed(TIFF, chain((273, 4, many, 100), (279, 4, many, 100)))
    assert strips == 100 + 4 * many
    assert needed(TIFF, chain((279, 4, 1, 0), (273, 4, 2**22, 100))) == 100 + 2**24
    assert needed(TIFF, big + struct.pack("<Q", 2**60)) == 16 + 8 + 20 * 2**60 + 8
    assert needed(TIFF, b"II+\0" + struct.pack("<HHQ", 8, 0, 2**64 - 1)) == 2**64 - 1 + 8
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_a_strip_needs_both_its_offset_and_its_size() -> None:
    assert needed(TIFF, chain((273, 4, 1, 5000), (279, 3, 1, 77))) == 5077
    assert needed(TIFF, chain((273, 4, 1, 5000))) == 8 + 18
    assert needed(TIFF, chain((273, 2, 4, 5000), (279, 99, 1, 77))) == 8 + 30


@pytest.mark.parametrize("content", [chain(), b"II*\0" + bytes(4), b"MM\0+\0\x08" + bytes(10)])
def test_a_tiff_without_a_directory_is_malformed(content: bytes) -> None:
    with pytest.raises(MalformedError, match="TIFF directory"):
        needed(TIFF, content)


# -- any of them -----------------------------------------------------------------------------------
STARTS = {
    "superblock 0": (HDF5, session_nwb(1)[:200]),
    "npy": (NPY, npy(np.zeros(3, [("a", "<f4"), ("b", "<U3")]))),
    "python 2": (NPY, header("{'descr': '|u1', 'fortran_order': False, 'shape': (3L,), }")),
    "tiff": (TIFF, tiff(pages=2, rowsperstrip=9)[:700]),
    "bigtiff": (TIFF, tiff(tile=(16, 16), bigtiff=True, byteorder=">")[:700]),
}


def assert_documented(file_format: FileFormat, content: bytes) -> None:
    try:
        found = needed(file_format, content)
    except MalformedError:
        return
    assert found is None or found >= 8


@given(st.sampled_from(FileFormat), st.integers(0, 3), st.binary(max_size=400))
def test_garbage_after_the_magic_is_survived(
    file_format: FileFormat, magic: int, garbage: bytes
) -> None:
    magics = file_format.value
    assert_documented(file_format, magics[magic % len(magics)] + garbage)


@settings(max_examples=4 * settings.default.max_examples, deadline=None)
@given(st.sampled_from(sorted(STARTS)), st.data())
def test_damage_to_a_header_is_survived(name: str, data: st.DataObject) -> None:
    file_format, start = STARTS[name]
    damaged = bytearray(start)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        new = data.draw(st.binary(min_size=1, max_size=8) | st.just(b"\xff" * 8))
        damaged[at : at + len(new)] = new
    assert_documented(file_format, bytes(damaged))


@pytest.mark.parametrize("content", [b"", b"\x89HDF", b"II", b"<html>", bytes(4096)])
@pytest.mark.parametrize("file_format", FileFormat)
def test_what_begins_otherwise_tells_nothing(file_format: FileFormat, content: bytes) -> None:
    assert needed(file_format, content) is None
    assert not file_format.begins(content)


def test_a_name_says_its_format() -> None:
    names = ("a.nwb", "a.H5", "b.npy", "c.tif", "C.TIFF", "d.pkl", "nwb", "")
    assert [*map(FileFormat.of, names)] == [HDF5, HDF5, NPY, TIFF, TIFF, None, None, None]


@pytest.mark.parametrize(
    "start",
    [
        b"<!DOCTYPE html>",
        b"<!doctype HTML PUBLIC",
        b"\xef\xbb\xbf\r\n  <HTML>",
        b"<html lang='en'>",
        b"\n<head><title>502 Bad Gateway",
        b"<html",
    ],
)
def test_a_page_is_known_by_its_start(start: bytes) -> None:
    assert looks_like_html(start)


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"<headers/>",
        b"<?xml version='1.0'?>",
        b"html",
        b"x,y\n<html>",
        b"<htmlx>",
        b" " * 9999,
    ],
)
def test_what_is_no_page_is_not_taken_for_one(start: bytes) -> None:
    assert not looks_like_html(start)


def test_natural_templates_are_told_from_their_parts() -> None:
    assert_told_from_its_parts(TIFF, natural_scene(3))
    assert_told_from_its_parts(NPY, natural_movie(1))
