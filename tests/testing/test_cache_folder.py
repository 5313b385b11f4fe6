import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_pynwb_is_imported_where_no_folder_can_be_made_in_the_home(tmp_path):
    home = tmp_path / "home"
    home.touch()  # in which not even root can make a folder
    done = subprocess.run(
        [sys.executable, "-c", "import ecephys_dal.testing, pynwb"],
        env={**os.environ, "HOME": str(home), "XDG_CACHE_HOME": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
