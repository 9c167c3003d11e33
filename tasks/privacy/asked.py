"""One person is erased since they, or the library, ask for it; and what goes with it outside the tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tasks.landing.zone import LandingZone
from tasks.patrons.applying import PATRONS_LOCK
from tasks.patrons.desk import find_person
from tasks.privacy.erasing import Erased, Erasing, erase, what_stands_against
from tasks.privacy.mails import shred_mails
from tasks.privacy.places import known_person
from tasks.privacy.shredding import delete_reviews, shred_files
from tasks.warehouse.engine import Warehouse


@dataclass(frozen=True)
class Asked:
    """What came of it: what stands against it, or what was cleared."""

    obstacles: tuple[str, ...]
    erased: Erased | None = None
    files: Counter[str] | None = None


def erase_on_request(
    warehouse: Warehouse,
    zone: LandingZone,
    outbox: Path,
    institution: str,
    text: str,
    erasing: Erasing,
    *,
    dry_run: bool = False,
) -> Asked:
    """Erase a person where nothing stands against it, and shred the files in which they may stand.

    `outbox` is the folder of e-mails, where they are written as files.

    Raises `UsageError` for an id that nobody, or more than one, has.
    """
    with warehouse.write(PATRONS_LOCK) as connection:
        person_id = find_person(connection, institution, text, erasing.day)
        known = known_person(connection, person_id)
        against = what_stands_against(connection, known, erasing.register, erasing.as_of, is_asked_for=True)
        if against or dry_run:
            return Asked(against)
        done = erase(connection, person_id, erasing)
    files = shred_files(warehouse, zone, erasing.register, now=erasing.now, as_of=erasing.as_of)
    files["lists of questions"] = delete_reviews(zone, done.reviews)
    with warehouse.read() as connection:
        files["copies of e-mails"] = shred_mails(connection, outbox, done.words)
    return Asked((), done, files)
