"""Passwords that change: a function is asked for them, and only its name is ever kept."""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name
from typing import TypeAlias

from ecephys_dal.errors import ConfigurationError

__all__ = ["Password", "asked_password", "check_sendable", "function_of", "name_of"]

Password: TypeAlias = Callable[[], str]


def asked_password(password: Password) -> str:
    """Return the password of this moment.

    Parameters
    ----------
    password : callable
        Asked anew each time; what it raises is not caught.

    Raises
    ------
    ConfigurationError
        If it returns no text.
    """
    answer = password()
    if not isinstance(answer, str):
        raise ConfigurationError(
            f"the function that gives the password returned a {type(answer).__name__}, not a str"
        )
    check_sendable(answer)
    return answer


def check_sendable(*texts: str | None) -> None:
    """Raise a `ConfigurationError` if no server can be sent one of these.

    The errors of drivers would hold all that is sent, and so the password.
    """
    if any(text != text.encode(errors="replace").decode() for text in texts if text):
        raise ConfigurationError(
            "the password, or another part of the database URL, holds what is no character, such as"
            " a byte of an environment variable that is not in UTF-8; write it in UTF-8"
        )


def name_of(password: Password) -> str:
    """Return the name by which another process finds the function, such as ``"tokens:latest"``.

    Raises
    ------
    ConfigurationError
        If it has none: what a lambda or an object holds may be the password itself.
    """
    name = f"{getattr(password, '__module__', '')}:{getattr(password, '__qualname__', '')}"
    try:
        found = resolve_name(name)
    except (ImportError, AttributeError, ValueError):
        found = None
    if found is not password:
        raise ConfigurationError(
            "a function that gives the password is pickled by its name only, and this one can't be"
            " found by a name; define it at the top level of a module"
        )
    return name


def function_of(name: str) -> Password:
    """Return the function of this name, as `name_of` gave it.

    Raises
    ------
    ConfigurationError
        If it is not there.
    """
    try:
        found: Password = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"the function {name} that gives the password is not here: {error}"
        ) from error
    return found
