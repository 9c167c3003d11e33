"""Where things end up: the names of what is archived, quarantined and given back, and their writing.

Names are pure functions of the delivery, and the writing can be repeated: a stage that was killed half-way and runs
again ends with the same files. Content has no instants in it for that reason.
"""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple

from schemas.errors import DeliveryRejectedError
from tasks.landing.keys import Area, check_key, check_part, safe_name
from tasks.landing.zone import LandingZone

RejectForm = Literal["records", "errors", "list", "review"]
"""The forms in which rejected records go back: as they came, with the error per record, a brief list. Of persons:
errors and list; `review` is what the institution's staff have to decide.
"""

Report = Literal["overview", "worklist"]
"""Folders of the area `reports/`."""


class QuarantinedPiece(NamedTuple):
    """A piece of a delivery that cannot be read, as raw_record keeps it."""

    position: int
    """From 1 in the delivery."""
    member_no: int
    byte_offset: int
    """In the unpacked member."""
    content: bytes
    reason: str


def archive_key(sender: str, on: date, sha256: str, name: str) -> str:
    """`archive/<sender>/<yyyy>/<mm>/<dd>/<first 12 of sha256>-<name>`; `on` is the day it was received (UTC)."""
    return check_key(f"{Area.ARCHIVE}/{check_part(sender)}/{on:%Y/%m/%d}/{_short(sha256)}-{safe_name(name)}")


def tried_key(sender: str, sha256: str, name: str) -> str:
    """`archive/<sender>/tried/<first 12 of sha256>-<name>`: what was looked at and not loaded: tests, lists."""
    return check_key(f"{Area.ARCHIVE}/{check_part(sender)}/tried/{_short(sha256)}-{safe_name(name)}")


def quarantine_key(sender: str, delivery_id: int, position: int) -> str:
    """`quarantine/<sender>/<delivery_id>/<position>.bin`; the text beside it has `.txt` in place of `.bin`."""
    return check_key(f"{Area.QUARANTINE}/{check_part(sender)}/{delivery_id}/{position}.bin")


def rejected_key(sender: str, delivery_id: int, sha256: str, name: str) -> str:
    """`quarantine/<sender>/<delivery_id>/<first 12 of sha256>-<name>`: a file that was rejected as a whole."""
    return check_key(f"{Area.QUARANTINE}/{check_part(sender)}/{delivery_id}/{_short(sha256)}-{safe_name(name)}")


def rejects_key(sender: str, delivery_id: int, form: RejectForm, extension: str) -> str:
    """`rejects/<sender>/<delivery_id>/<form>.<extension>`: what goes back to the sender about rejected records."""
    return check_key(f"{Area.REJECTS}/{check_part(sender)}/{delivery_id}/{safe_name(f'{form}.{extension}')}")


def report_key(report: Report, name: str) -> str:
    """`reports/<report>/<name>`: a page that was made for people."""
    return check_key(f"{Area.REPORTS}/{report}/{check_part(name)}")


def archive_original(zone: LandingZone, uri: str, key: str, sha256: str) -> str:
    """Bring the untouched original to `key` (see `archive_key`) and return its new URI. Again is harmless.

    Raises `ContentChangedError` where the sender has put other content in its place meanwhile: that stays where it
    is, and is a delivery of its own.
    """
    return zone.move(uri, key, sha256=sha256)


def quarantine_piece(zone: LandingZone, sender: str, delivery_id: int, name: str, piece: QuarantinedPiece) -> str:
    """Write the bytes of an unreadable piece and, beside them, where they stood and why they cannot be read.

    `name` is the delivery's file name. Returns the URI of the bytes. The text may be overwritten: a better reader can
    give a better reason; the bytes never change.
    """
    key = quarantine_key(sender, delivery_id, piece.position)
    text = (
        f"Delivery {delivery_id} of {sender}, file {name}\n"
        f"Piece {piece.position}, in member {piece.member_no}, from byte {piece.byte_offset:,}"
        f" (counted from 0), {len(piece.content):,} bytes\n"
        f"It could not be read: {piece.reason}\n"
    )
    uri = zone.put(key, piece.content)
    zone.put(key.removesuffix(".bin") + ".txt", _as_bytes(text), overwrite=True)
    return uri


def quarantine_file(
    zone: LandingZone, uri: str, sender: str, delivery_id: int, sha256: str, name: str, why: DeliveryRejectedError
) -> str:
    """Bring a file that was rejected as a whole to quarantine, with a text that says why. Returns its new URI."""
    key = rejected_key(sender, delivery_id, sha256, name)
    text = f"Delivery {delivery_id} of {sender}, file {name}\nsha256 {sha256}\nIt was rejected: {why.cause}\n"
    if why.remedy:
        text += f"What to do: {why.remedy}\n"
    moved_to = zone.move(uri, key, sha256=sha256)
    zone.put(f"{key}.txt", _as_bytes(text), overwrite=True)
    return moved_to


def _short(sha256: str) -> str:
    return check_part(sha256[:12])


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
