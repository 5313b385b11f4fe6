"""A web server of one's own, nginx, and the files that it serves."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "NO_ETAG",
    "PLAIN",
    "SMALL",
    "WITH_MD5",
    "WITH_SHA256",
    "Content",
    "Server",
    "nginx_version",
    "serving",
]

PLAIN, NO_ETAG, WITH_SHA256, WITH_MD5 = 7, 21, 22, 23
SMALL = range(31, 39)

_BLOCK = 8 * 1024**2
_PATIENCE = 10.0  # seconds until the server must answer
_CONFIGURATION = """\
daemon off;
master_process off;
pid "{folder}/nginx.pid";
error_log "{folder}/error.log";
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    default_type application/octet-stream;
    client_body_temp_path "{folder}/body";
    proxy_temp_path "{folder}/proxy";
    fastcgi_temp_path "{folder}/fastcgi";
    uwsgi_temp_path "{folder}/uwsgi";
    scgi_temp_path "{folder}/scgi";
    server {{
        listen 127.0.0.1:{port};
{locations}
    }}
}}
"""


@dataclass(frozen=True, kw_only=True)
class Content:
    """A file to serve.

    Parameters
    ----------
    path : Path
        Where it is.
    size : int
        Of it, in bytes.
    sha256, md5 : bytes
        Of it.
    """

    path: Path
    size: int
    sha256: bytes
    md5: bytes

    @classmethod
    def make(cls, path: Path, size: int) -> Content:
        """Write an HDF5 file of about this size, whose bytes can't be compressed."""
        random = np.random.default_rng(7)
        with h5py.File(path, "w") as file:
            values = file.create_dataset("values", (size,), "u1")
            for start in range(0, size, _BLOCK):
                length = min(_BLOCK, size - start)
                values[start : start + length] = np.frombuffer(random.bytes(length), "u1")
        return cls(
            path=path,
            size=path.stat().st_size,
            sha256=_digest(path, "sha256"),
            md5=_digest(path, "md5"),
        )

    def is_in(self, path: Path) -> bool:
        """Tell whether another file has the same content."""
        return _digest(path, "sha256") == self.sha256


def _digest(path: Path, algorithm: str) -> bytes:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.digest()


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that runs.

    Parameters
    ----------
    host : str
        And its port.
    process : int
        Its id.
    whole, part : Content
        What it serves: one file, and the one that it serves under several names.
    """

    host: str
    process: int
    whole: Content
    part: Content

    def url(self, number: int) -> str:
        """Return where a file is."""
        return f"http://{self.host}/well_known_files/download/{number}?wkf_id={number}"

    def content(self, number: int) -> Content:
        """Return what is there."""
        return self.part if number in SMALL else self.whole


@contextmanager
def serving(folder: Path, size: int) -> Iterator[Server]:
    """Serve a file of about this size, and eight of an eighth of it."""
    program = _nginx()
    whole = Content.make(folder / "whole.nwb", size)
    part = Content.make(folder / "part.nwb", size // len(SMALL))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, port=port, locations=_locations(whole, part))
    )
    nginx = subprocess.Popen(  # noqa: S603 - our own command
        [program, "-c", configuration, "-p", folder], stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(nginx, port, folder / "error.log")
        yield Server(host=f"127.0.0.1:{port}", process=nginx.pid, whole=whole, part=part)
    finally:
        nginx.terminate()
        nginx.wait()


def _locations(whole: Content, part: Content) -> str:
    sha256, md5 = (base64.b64encode(digest).decode() for digest in (whole.sha256, whole.md5))
    served = {
        PLAIN: (whole, ""),
        NO_ETAG: (whole, "etag off;"),
        WITH_SHA256: (whole, f'add_header Repr-Digest "sha-256=:{sha256}:";'),
        WITH_MD5: (whole, f'add_header Content-MD5 "{md5}";'),
        **dict.fromkeys(SMALL, (part, "")),
    }
    return "\n".join(
        f"        location = /well_known_files/download/{number}"
        f' {{ alias "{content.path}"; {more} }}'
        for number, (content, more) in served.items()
    )


def _wait_for(nginx: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while not _answers(port):
        if time.monotonic() > end or nginx.poll() is not None:
            raise SystemExit(f"nginx does not serve: {log.read_text() if log.exists() else ''}")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _nginx() -> str:
    """Return where nginx is, and install it if that is allowed."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    found = shutil.which("nginx", path=places)
    install = ["apt-get", "install", "--yes", "--quiet", "nginx-light"]
    if found is None and os.geteuid() == 0 and shutil.which(install[0]):
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
        found = shutil.which("nginx", path=places)
    if found is None:
        raise SystemExit(f"nginx is missing; as root: {' '.join(install)}")
    return found


def nginx_version() -> str:
    """Return nginx's name and version."""
    told = subprocess.run([_nginx(), "-v"], check=True, capture_output=True, text=True)  # noqa: S603
    return told.stderr.rpartition(":")[2].strip()
