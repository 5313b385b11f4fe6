"""The page's application answers many requests at once with few connections."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import pytest
from documentation import ROOT, blocks
from sqlalchemy import text

from ecephys_dal import errors

PAGE = ROOT / "docs" / "web-application.md"


def table() -> dict[str, str]:
    """Return the status of each error, as the page says it."""
    rows = re.findall(r"^\| (.*) \| (\d{3}) \|", PAGE.read_text(), re.MULTILINE)
    named = [(name, status) for names, status in rows for name in re.findall(r"`(\w+)`", names)]
    assert len(dict(named)) == len(named)
    return dict(named)


def test_each_error_has_a_status():
    assert sorted(table()) == sorted(one for one in errors.__all__ if one.endswith("Error"))


if find_spec("fastapi") is not None:

    @pytest.fixture
    def page(tmp_path, monkeypatch):
        """The application of the page, without the page's own tests, with few connections."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("ECEPHYS_DAL_POOL_SIZE", "5")
        monkeypatch.setenv("ECEPHYS_DAL_POOL_TIMEOUT", "60")
        namespace = {"__name__": "page"}
        for block in blocks(PAGE, "python")[:-1]:
            exec(compile(block.text, PAGE.name, "exec"), namespace)  # noqa: S102 - our own page
        with namespace["lims"]:
            yield namespace

    def test_many_requests_of_the_page_share_few_connections(page):
        from fastapi import testclient

        with testclient.TestClient(page["app"]) as client, ThreadPoolExecutor(60) as threads:
            (session_id, *_) = page["SessionRepository"](client.app.state.database).ids()
            path = f"/sessions/{session_id}/probes"
            answers = list(threads.map(lambda _: client.get(path), range(60)))
        assert [answer.status_code for answer in answers] == [200] * 60

    def test_each_error_is_answered_as_the_table_says(page):
        from fastapi import testclient

        @page["app"].get("/raise/{name}")
        def fail(name: str):
            raise getattr(errors, name)("what happened")

        with testclient.TestClient(page["app"]) as client:
            for name, status in table().items():
                answer = client.get(f"/raise/{name}")
                assert (name, answer.status_code) == (name, int(status))
                told = "what happened" if status == "422" else page["DETAILS"][int(status)]
                assert answer.json() == {"detail": told}

    def test_the_health_check_answers_while_all_threads_wait_for_connections(page, caplog):
        import fastapi
        from fastapi import testclient

        answered, waiting = threading.Event(), threading.Semaphore(0)

        db = fastapi.Depends(page["current_db"])

        @page["app"].get("/hold", response_model=None)
        def hold(db=db):
            waiting.release()
            db.execute(text("SELECT 1"))
            assert answered.wait(50)  # in time, which only a check that waits for nobody is

        with testclient.TestClient(page["app"]) as client, ThreadPoolExecutor(60) as threads:
            held = [threads.submit(client.get, "/hold") for _ in range(60)]
            for _ in range(40):  # all threads of the framework's
                assert waiting.acquire(timeout=50)
            answer = client.get("/health")
            answered.set()
            assert answer.status_code == 503
            assert answer.json()["detail"] == "the database does not answer now; ask again later"
            assert "pooled connections are in use" in caplog.text
            assert [one.result().status_code for one in held] == [200] * 60
            assert client.get("/health").status_code == 200
