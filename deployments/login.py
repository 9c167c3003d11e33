"""The login of a HOME's Prefect server: a random password, made once, kept in HOME/prefect/login for its owner alone.

It is handed to processes in their environment and never printed or logged; a person reads the file.
"""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from schemas.errors import ConfigurationError

USER = "samkat"
_PASSWORD_BYTES = 24


def login_file(prefect_home: Path) -> Path:
    """Where the login is kept: `user:password`, as the UI's page asks for it."""
    return prefect_home / "login"


def make_login(prefect_home: Path) -> str:
    """The login, made where there is none yet. Raises `ConfigurationError` where the file holds none."""
    file = login_file(prefect_home)
    made = f"{USER}:{secrets.token_urlsafe(_PASSWORD_BYTES)}"
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(made + "\n")
    except FileExistsError:
        found = known_login(prefect_home)
        if found is None:
            raise ConfigurationError(
                "does not hold user:password in its first line", file=str(file), remedy="delete it: a new one is made"
            ) from None
        return found
    return made


def known_login(prefect_home: Path) -> str | None:
    """The login, or None where there is none that can be read."""
    try:
        found = login_file(prefect_home).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    user, colon, password = found.partition(":")
    return found if user and colon and password and len(found.split()) == 1 else None


def authorization(login: str | None) -> dict[str, str]:
    """The header of a request that logs in; none where there is no login."""
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"} if login else {}
