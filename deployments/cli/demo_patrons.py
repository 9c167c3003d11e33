"""The demonstration's night of persons: their first files, and one night a week later.

The library systems of the sample are part of it: they export their users, staff edit in them, and they take in what
Samkat sends.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from deployments.cli import place
from deployments.cli.ingest import adopted
from deployments.cli.output import Output
from deployments.cli.running import run_flow

if TYPE_CHECKING:
    from config.settings import Settings
    from deployments.sample.patrons import PatronDay
    from schemas.summaries import PatronSummary

FIRST = date(2025, 3, 7)
"""The first files: nobody is known yet."""
BY = "the demonstration"


def run_patron_night(settings: Settings, output: Output) -> list[PatronSummary]:
    """Load the persons, then take the sample night's files; returns what became of those."""
    from deployments.sample import SAMPLE_NIGHT
    from deployments.sample.patrons import patron_fortnight

    first, night = patron_fortnight(settings.home / "sample" / "persons", [FIRST, SAMPLE_NIGHT])
    output.note("Loading the persons of three institutions ...")
    place.set_today(first.on)
    held = {institution: path.read_bytes() for institution, path in first.stocks.items()}
    _take(settings, first, held)
    _approve_first_load(settings)
    place.set_today(night.on)
    output.note("One night of their files, with what staff edited in between ...")
    return _take(settings, night, _edited(settings, night, held))


def _edited(settings: Settings, night: PatronDay, held: dict[str, bytes]) -> dict[str, bytes]:
    """What the library systems export now: they have taken in what was sent, and staff have edited."""
    from deployments.sample.patrons import read_back_export

    exports = Path(settings.landing_url) / "exports" / "patrons"
    return {
        institution: read_back_export(stock, night.edits_at(institution), sorted((exports / institution).glob("*.zip")))
        for institution, stock in held.items()
    }


def _take(settings: Settings, day: PatronDay, exports: dict[str, bytes]) -> list[PatronSummary]:
    from tasks.landing.opening import open_zone

    zone = open_zone(settings.landing_url)
    for institution, content in exports.items():
        zone.put(f"incoming/{institution}ALMA/{institution}_{day.on:%Y%m%d}.xml", content)
    found: list[PatronSummary] = []
    for file in day.files:
        paths = [file.path, *([file.manifest] if file.manifest else [])]
        uris = adopted(settings, paths, file.source)
        found += run_flow("patron_sync", "patron_sync", source=file.source, uris=uris)
    return found


def _approve_first_load(settings: Settings) -> None:
    """Nobody is known before the first file, so everybody would be created: that is for a person to approve."""
    from tasks.plans.store import held

    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        hashes = {row.plan_hash for row in held(connection) if row.flow == "patron-sync"}
    for plan_hash in sorted(hashes):
        run_flow("plan_decide", "plan_decide", plan_hash=plan_hash, decision="approve", by=BY)
