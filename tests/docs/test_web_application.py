"""The page's application answers many requests at once with few connections."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

from documentation import ROOT, blocks

from ecephys_dal import errors

PAGE = ROOT / "docs" / "web-application.md"


def test_each_error_has_a_status():
    rows = re.findall(r"^\| (.*) \| (\d{3}) \|", PAGE.read_text(), re.MULTILINE)
    named = [name for names, _ in rows for name in re.findall(r"`(\w+)`", names)]
    assert sorted(named) == sorted(one for one in errors.__all__ if one.endswith("Error"))


if find_spec("fastapi") is not None:

    def test_many_requests_of_the_page_share_few_connections(tmp_path, monkeypatch):
        from fastapi import testclient

        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("ECEPHYS_DAL_POOL_SIZE", "5")
        monkeypatch.setenv("ECEPHYS_DAL_POOL_TIMEOUT", "10")
        namespace = {"__name__": "page"}
        for block in blocks(PAGE, "python")[:-1]:  # until its own tests
            exec(compile(block.text, PAGE.name, "exec"), namespace)  # noqa: S102 - our own page
        with (
            namespace["lims"],
            testclient.TestClient(namespace["app"]) as client,
            ThreadPoolExecutor(60) as threads,
        ):
            (session_id, *_) = namespace["SessionRepository"](client.app.state.database).ids()
            path = f"/sessions/{session_id}/probes"
            answers = list(threads.map(lambda _: client.get(path), range(60)))
        assert [answer.status_code for answer in answers] == [200] * 60
