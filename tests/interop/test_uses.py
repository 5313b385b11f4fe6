"""Where AllenSDK finds its credentials, ours finds the same."""

from __future__ import annotations

import pytest

from ecephys_dal import EcephysProjectLimsApi

from . import oracle
from .comparison import differences
from .sides import Sides


def test_credentials_come_from_the_same_variables(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in oracle.credentials_of(sides.url)._asdict().items():
        monkeypatch.setenv(f"LIMS_{name.upper()}", str(value))
    with oracle.environment_read_again():
        theirs = oracle.EcephysProjectLimsApi.default().get_probes()
    with EcephysProjectLimsApi.default() as ours:
        assert differences(theirs, ours.get_probes()) == []
