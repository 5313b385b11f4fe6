"""``python -m ecephys_dal``: the command line, for where its program is not on the path."""

import sys

from ecephys_dal.cli import main

if __name__ == "__main__":
    sys.exit(main())
