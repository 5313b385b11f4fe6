"""Does this LIMS look the way the models, the rules and the downloads take for granted?

`examine` looks, changes nothing, and tells what it found. `kinds` declares what there is to find.
`layout` (with `catalogue` and `families`) compares tables and columns, `assumptions` and `samples`
look at rows, `indexes` at what makes questions fast, `reaching` at the database and the role, `web`
at the files. `uses` knows which methods need which columns, from the repositories' statements.
"""

from ecephys_dal.doctor.examining import examine
from ecephys_dal.doctor.findings import Examination, Finding

__all__ = ["Examination", "Finding", "examine"]
