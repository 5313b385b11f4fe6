"""Credentials and settings. Only what is named ``from_env`` reads the environment."""

from ecephys_dal.config.credentials import DbCredentials, password_from_env
from ecephys_dal.config.passwords import (
    Password,
    asked_password,
    check_sendable,
    function_of,
    name_of,
)
from ecephys_dal.config.settings import DatabaseSettings, options_from_env

__all__ = [
    "DatabaseSettings",
    "DbCredentials",
    "Password",
    "asked_password",
    "check_sendable",
    "function_of",
    "name_of",
    "options_from_env",
    "password_from_env",
]
