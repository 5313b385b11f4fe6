"""A real server that demands an awkward password, with a small LIMS that its reader may read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url, text

from ecephys_dal import Database, DbCredentials
from ecephys_dal.migrations import upgrade
from ecephys_dal.testing import SyntheticLims, build_synthetic_lims
from tests.postgresql import embedded_server

PASSWORD = "p@ss:w/rd%' \""
READER = "reader"


@dataclass(frozen=True)
class Login:
    """Where the reader logs in; the owner needs no password."""

    folder: str
    owner_url: URL
    lims: SyntheticLims

    @property
    def url(self) -> URL:
        """The reader's, without a password."""
        return self.owner_url.set(username=READER)

    def credentials(self, password: object = PASSWORD) -> DbCredentials:
        return DbCredentials(
            dbname="postgres",
            user=READER,
            host=self.folder,
            password=password,  # type: ignore[arg-type]
        )

    def set_password(self, password: str) -> None:
        with Database(self.owner_url, owned=True) as owner, owner.connection() as connection:
            quoted = password.replace("'", "''")
            connection.exec_driver_sql(
                f"ALTER ROLE {READER} PASSWORD '{quoted}'".replace("%", "%%")
            )


@contextmanager
def demanding_server() -> Iterator[Login]:
    with embedded_server() as server:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
        with Database(url, owned=True) as owner:
            with owner.connection() as connection:
                upgrade(connection)
            lims = build_synthetic_lims(
                owner, sessions=2, channels_per_probe=4, units_per_session=8, progress=False
            )
            login = Login(str(server.pgdata), url, lims)
            _demand_passwords(owner)
        login.set_password(PASSWORD)
        yield login


def _demand_passwords(owner: Database) -> None:
    with owner.connection() as connection:
        for statement in (
            f"CREATE ROLE {READER} LOGIN",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}",
        ):
            connection.execute(text(statement))
        rules = Path(connection.scalar(text("SHOW hba_file")))
        demand = f"local all {READER} scram-sha-256\nhost all {READER} all scram-sha-256\n"
        rules.write_text(demand + rules.read_text())
        connection.execute(text("SELECT pg_reload_conf()"))
