"""Credentials and settings. Only what is named ``from_env`` reads the environment."""

from ecephys_dal.config.credentials import DbCredentials, password_from_env
from ecephys_dal.config.settings import DatabaseSettings

__all__ = ["DatabaseSettings", "DbCredentials", "password_from_env"]
