"""Digests of what a snapshot holds: of the rows of each table, and of the file as a whole."""

from __future__ import annotations

import hashlib
import os
import zlib
from typing import TYPE_CHECKING

from ecephys_dal.models import LIMS_TABLES
from ecephys_dal.safe_open import open_own

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

__all__ = ["checksum_of", "digest_of", "seal", "sealed_checksum"]

_ROWS = 1_000
_BLOCK = 1024 * 1024
# Where SQLite's header keeps the number that it leaves to applications ("user version").
_SEAL = slice(60, 64)


def digest_of(connection: sqlite3.Connection, table: str) -> tuple[int, str]:
    """Return how many rows a table has, and their SHA-256 in the order of their keys."""
    keys = ", ".join(str(key.name) for key in LIMS_TABLES[table].primary_key)
    rows = connection.execute(f"SELECT * FROM {table} ORDER BY {keys}")  # noqa: S608 - of a model
    digest, n_rows = hashlib.sha256(), 0
    while some := rows.fetchmany(_ROWS):
        n_rows += len(some)
        # Python writes each number, text and NULL in one way, and no two of them alike.
        digest.update("".join(f"{row!r}\n" for row in some).encode(errors="surrogatepass"))
    return n_rows, digest.hexdigest()


def checksum_of(path: Path) -> int:
    """Return the CRC-32 of a file, but for the four bytes of the seal."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if file.tell() == len(block):  # the first one
                block = block[: _SEAL.start] + bytes(4) + block[_SEAL.stop :]
            checksum = zlib.crc32(block, checksum)
    return checksum


def sealed_checksum(path: Path) -> int:
    """Return the checksum that a file was sealed with."""
    with path.open("rb") as file:
        return int.from_bytes(file.read(_SEAL.stop)[_SEAL], "big")


def seal(path: Path) -> None:
    """Write the checksum of a closed database into it, and see to it that the disk has it all."""
    checksum = checksum_of(path)
    with open(open_own(path, os.O_RDWR), "r+b") as file:  # noqa: PTH123 - of a descriptor
        file.seek(_SEAL.start)
        file.write(checksum.to_bytes(4, "big"))
        file.flush()
        os.fsync(file.fileno())
