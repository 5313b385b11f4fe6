"""Files that are opened where others may write: ours alone, or regular ones below a folder."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = [
    "JOURNALS",
    "NotOursError",
    "check_own",
    "create_own",
    "is_link_of_another",
    "is_own",
    "is_regular",
    "open_below",
    "open_own",
    "open_regular",
    "planted_journal",
    "set_final_mode",
]

# No link is followed, no pipe waited for, and no child process inherits it.
_CAREFULLY = sum(
    getattr(os, name, 0)
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")
)
_FOLDER = sum(getattr(os, name, 0) for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC"))
_FOLDER |= getattr(os, "O_PATH", os.O_RDONLY)  # to enter it, which not only its readers may
_PRIVATE, _BY_OTHERS = 0o600, 0o022
JOURNALS = ("-journal", "-wal", "-shm")  # that SQLite would go on with
_NO_FILES = ("/proc", "/sys", "/dev")
# What the kernel itself answers, wherever it is mounted.
_OF_THE_KERNEL = frozenset(
    {"bpf", "binfmt_misc", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs"}
    | {"efivarfs", "fusectl", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs"}
    | {"selinuxfs", "sysfs", "tracefs"}
)
_MOUNTS = Path("/proc/self/mountinfo")


class NotOursError(PermissionError):
    """A file that only we should have made is a link, no regular file, or another user's."""

    def __init__(self, path: str | os.PathLike[str], what: str) -> None:
        super().__init__(
            errno.EPERM, f"{what}, so it is not used; remove it, or name another folder", str(path)
        )


def open_own(path: str | os.PathLike[str], flags: int) -> int:
    """Open a working file of ours in a folder where others may write; make it if need be.

    Parameters
    ----------
    path : str or PathLike
        Of the file.
    flags : int
        As for `os.open`. With ``O_CREAT`` it is made if it is missing, for us alone (mode 0600).

    Returns
    -------
    int
        The file descriptor.

    Raises
    ------
    NotOursError
        If somebody may have put it there: it is a link, has several names, is no regular file, or
        belongs to another user, or others may write to it.
    """
    try:
        descriptor = _opened(path, flags)
    except OSError as error:
        if (what := _oddity(path)) is not None:  # which systems tell by many a word
            raise NotOursError(path, what) from error
        raise
    try:
        what = _oddity(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    if what is not None:
        os.close(descriptor)
        raise NotOursError(path, what)
    return descriptor


def _opened(path: str | os.PathLike[str], flags: int) -> int:
    if not hasattr(os, "O_NOFOLLOW") and Path(path).is_symlink():  # on Windows
        raise NotOursError(path, "it is a link")
    return os.open(path, flags | _CAREFULLY, _PRIVATE)


def create_own(path: str | os.PathLike[str]) -> int:
    """Make a new file for us alone, in place of whatever has that name; return its descriptor."""
    Path(path).unlink(missing_ok=True)  # of a link, and not of what it leads to
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _CAREFULLY, _PRIVATE)


def check_own(path: str | os.PathLike[str]) -> None:
    """Raise a `NotOursError` if what has this name, if anything, is not as `open_own` wants it."""
    if (what := _oddity(path)) is not None:
        raise NotOursError(path, what)


def is_own(path: str | os.PathLike[str]) -> bool:
    """Return True if there is a regular file of ours that has one name; others may write to it."""
    try:
        return _oddity(path, os.lstat(path), published=True) is None
    except (OSError, ValueError):
        return False


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Return True if there is a regular file, and no link."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def is_link_of_another(path: str | os.PathLike[str]) -> bool:
    """Return True if there is a link that another user has made."""
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return False
    theirs = os.name == "posix" and found.st_uid != os.geteuid()
    return stat.S_ISLNK(found.st_mode) and theirs


def planted_journal(path: str | os.PathLike[str]) -> str | None:
    """Return what SQLite would write into a database of ours that is another user's, if anything.

    Where others may write to the database itself, theirs may be a journal of it too.
    """
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    if found.st_mode & _BY_OTHERS or os.name != "posix" or found.st_uid != os.geteuid():
        return None
    real = os.path.realpath(path)  # beside which SQLite looks for them
    journals = [f"{real}{suffix}" for suffix in JOURNALS]
    return next((one for one in journals if os.path.lexists(one) and not is_own(one)), None)


def _oddity(
    path: str | os.PathLike[str], found: os.stat_result | None = None, *, published: bool = False
) -> str | None:
    """Return why a file is not one that we made, None if it may be."""
    if found is None:
        try:
            found = os.lstat(path)
        except OSError:
            return None
    if stat.S_ISLNK(found.st_mode):
        return "it is a link"
    if not stat.S_ISREG(found.st_mode):
        return "it is no regular file"
    if found.st_nlink > 1:
        return f"it has {found.st_nlink} names"
    return None if os.name != "posix" else _hand_of_another(Path(path).parent, found, published)


def _hand_of_another(folder: Path, found: os.stat_result, published: bool) -> str | None:
    """Return by what another user may have written to a file, None if by nothing."""
    open_to = 0 if published else stat.S_IMODE(found.st_mode) & _BY_OTHERS
    theirs = found.st_uid != os.geteuid()
    if theirs or open_to:
        # Some file systems, as network drives often do, show other owners and modes than are given.
        with suppress(OSError):
            like = _new_file_like(folder, _PRIVATE)
            theirs, open_to = theirs and found.st_uid != like.st_uid, open_to & ~like.st_mode
    if theirs:
        return f"it belongs to another user ({found.st_uid})"
    return f"others may write to it ({stat.filemode(found.st_mode)})" if open_to else None


def _new_file_like(folder: Path, mode: int) -> os.stat_result:
    """Return what a new file of this mode, less what the umask says, is like in a folder."""
    probe = folder / f".{uuid4().hex}"
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CAREFULLY, mode)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
        probe.unlink(missing_ok=True)


def set_final_mode(descriptor: int, folder: Path, *, most: int = 0o666) -> None:
    """Give a file that was ours alone the mode of any new file in its folder, by the umask."""
    if os.name == "posix":
        os.fchmod(descriptor, stat.S_IMODE(_new_file_like(folder, 0o666).st_mode) & most)


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading that no link leads to; unbuffered.

    Raises
    ------
    OSError
        If it is a link, a device, a pipe or a folder, or can't be opened.
    """
    return _reading(_opened(path, os.O_RDONLY), path)


def open_below(folder: str | os.PathLike[str], path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading if it is below a folder, all links followed; unbuffered.

    Parameters
    ----------
    folder : str or PathLike
        Nothing outside of it is opened.
    path : str or PathLike
        Of the file.

    Returns
    -------
    binary file
        Its ``name`` is the path without links.

    Raises
    ------
    OSError
        If it is no regular file, outside of the folder, one of the kernel's (as those of /proc),
        or can't be opened.
    ValueError
        If no file can have such a path.

    Notes
    -----
    Where the system can, each folder on the way is opened by the one above it, and as no link. So
    nobody can put a link there between the look and the opening.
    """
    base, real = os.path.realpath(folder), os.path.realpath(path)
    if os.path.commonpath([base, real]) != base:
        raise PermissionError(errno.EPERM, f"leads out of {base}, to", real)
    if any(real == one or real.startswith(f"{one}/") for one in _NO_FILES):
        raise PermissionError(errno.EPERM, "is one of the system's own", real)
    if os.open in os.supports_dir_fd:
        return _reading(_opened_below(base, Path(real).relative_to(base).parts), real)
    file = open_regular(real)
    same = os.path.samestat(os.fstat(file.fileno()), Path(real).stat())
    if os.path.realpath(path) != real or not same:
        file.close()
        raise PermissionError(errno.EPERM, "was put elsewhere while it was opened", real)
    return file


def _opened_below(base: str, parts: tuple[str, ...]) -> int:
    """Open a file step by step, from a folder on."""
    if not parts:  # a prefix may be of one file
        return os.open(base, os.O_RDONLY | _CAREFULLY)
    at = os.open(base, _FOLDER)
    try:
        for part in parts[:-1]:
            above, at = at, os.open(part, _FOLDER, dir_fd=at)
            os.close(above)
        # A device is not even opened, which it might notice.
        if not stat.S_ISREG(os.stat(parts[-1], dir_fd=at, follow_symlinks=False).st_mode):
            raise FileNotFoundError(errno.ENOENT, "is no regular file", str(Path(base, *parts)))
        return os.open(parts[-1], os.O_RDONLY | _CAREFULLY, dir_fd=at)
    finally:
        os.close(at)


def _reading(descriptor: int, path: str | os.PathLike[str]) -> BinaryIO:
    """Return the file that was opened, if it is one of a disk."""
    found, name = os.fstat(descriptor), os.fspath(path)
    refusal: OSError | None = None
    if not stat.S_ISREG(found.st_mode):
        refusal = FileNotFoundError(errno.ENOENT, "is no regular file", name)
    elif _is_of_the_kernel(found.st_dev):
        refusal = PermissionError(errno.EPERM, "is one of the system's own", name)
    if refusal is not None:
        os.close(descriptor)
        raise refusal
    return open(name, "rb", buffering=0, opener=lambda *_: descriptor)


def _is_of_the_kernel(device: int) -> bool:
    """Return True if what is mounted as this device is no storage, as /proc is none."""
    number = f"{os.major(device)}:{os.minor(device)}" if os.name == "posix" else ""
    try:
        mounted = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # no Linux
        return False
    kinds = (line.partition(" - ")[2].split(" ")[0] for line in mounted if f" {number} " in line)
    return not _OF_THE_KERNEL.isdisjoint(kinds)
