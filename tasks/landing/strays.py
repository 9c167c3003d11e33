"""Strays: what lies in `incoming/` and can become no delivery. Each is entered once, and reported once.

A whole file of an unknown sender goes to quarantine; what cannot be touched (a link, an unusable name) stays where it
is. The row is written first, with the place in quarantine, so that a run that was killed in between reports nothing
twice and moves the file when it goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from schemas.errors import SamkatError
from schemas.warehouse.raw import raw_stray
from tasks.landing.fingerprint import fingerprint
from tasks.landing.keys import Area, check_key, check_part, printable, safe_name
from tasks.landing.zone import LandedFile, LandingZone, RefusedFile

UNKNOWN_SENDER = "no sender has this code"


@dataclass(frozen=True)
class Stray:
    """Something in `incoming/` that can become no delivery. `key`: where it belongs in quarantine."""

    path: str
    """Below `incoming/`, printable."""
    sender: str
    reason: str
    remedy: str
    sha256: str = ""
    source_uri: str = ""
    key: str = ""


def of_strangers(zone: LandingZone, files: Iterable[LandedFile], known: Iterable[str]) -> list[Stray]:
    """The strays that files of unknown senders are. Reads each for its fingerprint; what may not be read stays."""
    codes = ", ".join(sorted(known))
    found = []
    for each in files:
        path = printable(each.key.removeprefix(f"{Area.INCOMING}/"))
        try:
            with zone.open(each.uri) as stream:
                sha256 = fingerprint(stream).sha256
        except SamkatError as error:
            found.append(Stray(path, printable(each.sender), f"{UNKNOWN_SENDER}; it {error.cause}", error.remedy or ""))
            continue
        remedy = f"enter the sender in the register, or move the file to a known one's folder: {codes}"
        key = stray_key(each.sender, sha256, each.name)
        found.append(Stray(path, printable(each.sender), UNKNOWN_SENDER, remedy, sha256, each.uri, key))
    return found


def of_refused(refused: Iterable[RefusedFile]) -> list[Stray]:
    """The strays that stay where they are."""
    return [Stray(each.name, printable(each.sender), each.reason, each.remedy) for each in refused]


def stray_key(sender: str, sha256: str, name: str) -> str:
    """`quarantine/<sender>/unknown-sender/<first 12 of sha256>-<name>`."""
    return check_key(f"{Area.QUARANTINE}/{check_part(sender)}/unknown-sender/{sha256[:12]}-{safe_name(name)}")


def enter_new(connection: Connection, zone: LandingZone, strays: Iterable[Stray], now: datetime) -> list[Stray]:
    """Enter the strays; returns those that were not known before."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    new = []
    for each in {(stray.path, stray.sha256, stray.reason): stray for stray in strays}.values():
        values: dict[str, Any] = {
            "path": each.path, "sha256": each.sha256, "reason": each.reason, "remedy": each.remedy,
            "sender": each.sender, "uri": zone.uri_for(each.key) if each.key else None, "seen_at": now,
        }  # fmt: skip
        entered = connection.execute(
            insert(raw_stray)
            .values(**values)
            .on_conflict_do_nothing(index_elements=["path", "sha256", "reason"])
            .returning(raw_stray.c.path)
        )
        new += [each] if entered.all() else []
    return new


def put_away(zone: LandingZone, strays: Iterable[Stray]) -> int:
    """Bring files of unknown senders to quarantine, each with a text that says why; returns how many.

    One that cannot be moved now (it is being written to after all) stays for the next time.
    """
    moved = 0
    for each in strays:
        if not each.key:
            continue
        text = f"{each.path}\nsha256 {each.sha256}\nIt was not taken in: {each.reason}\nWhat to do: {each.remedy}\n"
        try:
            zone.move(each.source_uri, each.key, sha256=each.sha256)
            zone.put(f"{each.key}.txt", text.encode("utf-8", "backslashreplace"), overwrite=True)
            moved += 1
        except SamkatError:
            continue
    return moved
