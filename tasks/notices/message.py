"""What a notice is: a `Message`, ready to be stored in the outbox, and the small rules every message keeps.

Here belong the message itself, its attachments and how they are stored, its fixed Message-ID, and the cleaning of
text that ends in a header or a file name. Wording is in wording.py, layout in layout.py.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

_MAX_NAME = 80


class NoticeKind(StrEnum):
    """Why an e-mail is sent."""

    DIGEST = "digest"
    REJECTS = "rejects"
    WORKLIST = "worklist"
    HELD = "held"
    FAILED = "failed"
    CORRECTION = "correction"
    STRAY = "stray"
    FEEDS = "feeds"
    ACCOUNTS = "accounts"
    TRIAL = "trial"
    CUSTOMERS = "customers"
    JOINING = "joining"
    FRESHNESS = "freshness"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a message. `name` is a plain file name; see `file_name`."""

    name: str
    media_type: str
    content: bytes


class AttachmentRow(TypedDict):
    """An attachment as the outbox stores it."""

    name: str
    media_type: str
    base64: str


@dataclass(frozen=True, slots=True)
class Message:
    """One e-mail to one recipient, complete but for its sender and its date.

    `dedup_key` names what the message is about: the same key is queued once, and gives the same Message-ID however
    often it is sent.
    """

    kind: NoticeKind
    recipient: str
    subject: str
    language: str
    text: str
    html: str
    attachments: tuple[Attachment, ...]
    dedup_key: str


def message_id(dedup_key: str, sender: str) -> str:
    """The fixed Message-ID, angle brackets included. It is short (no mail library folds it) and tells nothing."""
    domain = sender.rpartition("@")[2]
    return f"<{hashlib.sha256(dedup_key.encode()).hexdigest()[:32]}@{domain}>"


def attachment_rows(attachments: Iterable[Attachment]) -> list[AttachmentRow]:
    """Attachments as JSON for the outbox: `name`, `media_type`, `base64`."""
    return [
        {"name": each.name, "media_type": each.media_type, "base64": base64.b64encode(each.content).decode("ascii")}
        for each in attachments
    ]


def attachments_from(rows: Iterable[AttachmentRow]) -> tuple[Attachment, ...]:
    """The way back from `attachment_rows`. Raises KeyError or ValueError where a row is not what it wrote."""
    return tuple(
        Attachment(row["name"], row["media_type"], base64.b64decode(row["base64"], validate=True)) for row in rows
    )


def printable(text: str) -> str:
    """`text` with what no mail program can show made visible: control characters as their symbols (␛), lone
    surrogates as an escape. Line ends and tabs stay. Only carriage returns and the non-sorting marks of MARC (U+0098,
    U+009C: meant to be invisible) are left out: a cataloguer should see what is there.
    """
    if text.isprintable():
        return text
    shown = []
    for character in text:
        if character in "\x98\x9c":
            continue
        if character in "\n\t" or character >= " ":
            if "\x7f" <= character <= "\x9f" or "\ud800" <= character <= "\udfff":
                character = f"\\u{ord(character):04x}"
            shown.append(character)
        elif character != "\r":
            shown.append(chr(0x2400 + ord(character)))
    return "".join(shown)


def one_line(text: str) -> str:
    """`text` fit for a header: one line, single blanks, no control or direction-changing characters."""
    kept = (
        " " if character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character
        for character in text
    )
    return " ".join("".join(kept).split())


def file_name(text: str) -> str:
    """`text` as a file name that is safe everywhere: ASCII letters, digits, `.`, `_`, `-`; at most 80 characters."""
    folded = unicodedata.normalize("NFKD", text.translate(_NO_DECOMPOSITION))
    ascii_only = folded.encode("ascii", "ignore").decode("ascii")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_only).strip("-.")
    return name[:_MAX_NAME].rstrip("-.") or "file"


_NO_DECOMPOSITION = str.maketrans({"æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "ß": "ss", "þ": "th", "ð": "d", "đ": "d"})
