import subprocess
import sys

from ecephys_dal import testing


def test_the_public_names_are_sorted_and_there():
    # As ruff sorts them: constants, classes, functions.
    kinds = [(not name.isupper(), not name[0].isupper(), name) for name in testing.__all__]
    assert kinds == sorted(kinds)
    assert all(hasattr(testing, name) for name in testing.__all__)


def test_importing_does_not_load_what_is_slow_or_optional():
    code = "import sys, ecephys_dal.testing; print(*sys.modules)"
    loaded = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert not {"pynwb", "h5py", "tifffile"} & set(loaded.stdout.split())


def test_what_is_public_is_documented():
    undocumented = [
        name
        for name in testing.__all__
        if callable(getattr(testing, name)) and not getattr(testing, name).__doc__
    ]
    assert undocumented == []
