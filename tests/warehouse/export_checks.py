"""Exports of one profile, run as the stage runs them, and what a receiver finds in its files."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pymarc
import pytest
import sqlalchemy as sa

from schemas.register.export_profiles import ExportProfile
from tasks.exports import ledger
from tasks.exports.exporting import Asked, Export
from tasks.exports.places import place_of
from tasks.workplace import Workplace

SOLB = ExportProfile(name="solberg", receiver="Solberg", libraries=("SOLB",))
BOTH = ExportProfile(name="both", receiver="Two libraries", libraries=("SOLB", "NORU"))
ALL = ExportProfile(name="all", receiver="Everybody", libraries=("*",))
ZONE = ZoneInfo("Europe/Stockholm")
ON_SQLITE = pytest.mark.parametrize("warehouse_url", ["sqlite"], indirect=True)
"""For what does not hang on the engine."""


def export_of(place: Workplace, profile: ExportProfile, **asked: Any) -> Export:
    """The profile's export, not run yet."""
    wanted = Asked(place.today, place.now, ZONE, **asked)
    return Export(place.warehouse, place_of(profile, place.zone), profile, place.register.catalogue, wanted)


def send(place: Workplace, profile: ExportProfile = SOLB, **asked: Any) -> sa.Row[Any]:
    """Run the profile's export; its row in the ledger, with where the file is."""
    ids = export_of(place, profile, **asked).run()
    with place.warehouse.read() as connection:
        return ledger.export_rows(connection, ids)[-1]


def content_of(place: Workplace, row: sa.Row[Any]) -> bytes:
    """The bytes of an export's file."""
    with place.zone.open(row.uri) as stream:
        return stream.read()


def records_of(place: Workplace, row: sa.Row[Any]) -> list[pymarc.Record]:
    """The records of a file as pymarc reads them."""
    if row.name is None:
        return []
    found = list(pymarc.MARCReader(content_of(place, row), to_unicode=True))
    assert None not in found
    return [record for record in found if record is not None]


def shown(place: Workplace, row: sa.Row[Any]) -> list[str]:
    """A line a record: leader/05, what it is, 001, and of a holding its bib and shelf marks."""
    lines = []
    for record in records_of(place, row):
        number = record["001"].data
        if record.leader[6] == "x":
            marks = "/".join(each.get("h", "-") for each in record.get_fields("852"))
            lines.append(f"{record.leader[5]} holding {number} of {record['004'].data}: {marks}")
        else:
            lines.append(f"{record.leader[5]} bib {number}")
    return lines


def sent(place: Workplace, profile: ExportProfile = SOLB, **asked: Any) -> list[str]:
    """What the profile's next file holds."""
    return shown(place, send(place, profile, **asked))


def counts(row: sa.Row[Any]) -> dict[str, int]:
    """The counts of an export that are not zero."""
    return {name: getattr(row, name) for name in ledger.COUNTS if getattr(row, name)}


def states(place: Workplace, profile: ExportProfile = SOLB) -> list[str]:
    """The states of the profile's exports, oldest first."""
    statement = "SELECT state FROM out_export WHERE profile = :profile ORDER BY export_id"
    with place.warehouse.read() as connection:
        return list(connection.execute(sa.text(statement), {"profile": profile.name}).scalars())


def manifest_of(place: Workplace, row: sa.Row[Any]) -> dict[str, Any]:
    """The manifest beside a file."""
    with place.zone.open(f"{row.uri}.manifest.json") as stream:
        found: dict[str, Any] = orjson.loads(stream.read())
    return found
