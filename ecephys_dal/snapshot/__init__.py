"""A part of LIMS in one file, which answers as LIMS does, without a network.

`create` makes one: `reach` says which records of the public tables a filter keeps, `closure` what
those lead to, `planning` notes it, `part` copies it from `source`. `coverage` knows what a snapshot
can answer for, `opening` opens it, `files` fetches and serves what is beside it, `storing` gives
what is written its name only when it is whole. `description`,
`verifying` (with `digests`) and `comparing` tell of it, `exporting` writes tables for other tools.
"""

import lazy_loader

# The names stand in __init__.pyi; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
