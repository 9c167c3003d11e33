"""Copies of e-mails in the outbox folder: one that names a person who was erased is shredded as a whole.

What went to a mail server is with its recipients. The rows of the outbox in the warehouse are told.py's.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Collection, Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.warehouse.core import core_notice
from tasks.notices.sending import eml_key
from tasks.privacy.told import CLEARED


def shred_mails(connection: Connection, folder: Path, words: Collection[str] = ()) -> int:
    """Delete the copies of e-mails whose text was cleared, and those in which one of `words` stands; returns how many.

    `words` name persons: a copy may be left of an e-mail that the warehouse does not know any more. Again is harmless,
    so what a killed run left goes with the next.
    """
    if not folder.is_dir():
        return 0
    cleared = connection.execute(sa.select(core_notice.c.message_id).where(core_notice.c.subject == CLEARED)).scalars()
    keys = {eml_key(each) for each in cleared if each}
    named = {each.casefold() for each in words}
    number = 0
    for path in sorted(folder.glob("*.eml")):
        if path.stem[-12:] in keys or (named and any(each in text for text in _texts(path) for each in named)):
            path.unlink(missing_ok=True)
            number += 1
    return number


def _texts(path: Path) -> Iterator[str]:
    """What an e-mail says, decoded and casefolded: headers, bodies, attached files with their names."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    yield from (str(value).casefold() for value in message.values())
    for part in message.walk():
        yield (part.get_filename() or "").casefold()
        content = part.get_payload(decode=True)  # None: parts within it
        if isinstance(content, bytes):
            yield content.decode("utf-8", "replace").casefold()
