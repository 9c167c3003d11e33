"""The secret of the keyed hashes that stand for persons where no person may be named, made once for a HOME."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

SALT_FILE = "patron.salt"
_SHOWN = 12


def salt_in(home: Path) -> bytes:
    """The secret of this HOME; made where there is none, readable by its owner alone. Two processes make one.

    It belongs in the backup of the warehouse: with another one a tombstone stops nobody.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / SALT_FILE
    made = home / f"{SALT_FILE}.{os.getpid()}"
    if not path.exists():
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            # A link appears whole, and fails where another process was first.
            os.link(made, path)
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_bytes().strip()


def shown_id(salt: bytes, institution: str, primary_key: str) -> str:
    """A person's id as logs, reports and artifacts may show it: 12 hex digits of a keyed hash."""
    keyed = hmac.new(salt, f"{institution}:{primary_key}".encode(), hashlib.sha256)
    return keyed.hexdigest()[:_SHOWN]
