"""Files for local systems and snapshots where people look: `samkat status`, the overview of the night, `why bib`."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from rich.console import Console

from deployments.cli import status
from schemas.register.export_profiles import ExportProfile
from schemas.warehouse.core import core_bib
from tasks.exports import ledger
from tasks.exports.carried import files_with_bib
from tasks.quality.overview_figures import figures
from tasks.quality.overview_page import Setting, as_html, needs
from tasks.warehouse.runs import finish_run, start_run
from tasks.warehouse.services import newest_files
from tasks.workplace import Workplace
from tests.warehouse.export_checks import ALL, BOTH, SOLB, send
from tests.warehouse.parcels import Parcel, book
from tests.warehouse.pipeline import ingest

NAMES = ("solberg", "portal", "nordhavet")


def bibs(place: Workplace) -> dict[str, int]:
    """Id by title, of every bib."""
    with place.warehouse.read() as connection:
        return {row.title: row.bib_id for row in connection.execute(sa.select(core_bib.c.title, core_bib.c.bib_id))}


def carried(place: Workplace, bib_id: int, *profiles: ExportProfile) -> list[tuple[str, str]]:
    with place.warehouse.read() as connection:
        found = files_with_bib(connection, {each.name: each for each in profiles}, bib_id)
    return [(each.profile, each.what) for each in found]


def test_why_a_bib_names_the_files_that_carried_it_and_what_became_of_it_in_each(place: Workplace) -> None:
    first = Parcel().bib(book(1), "N1").holding("SOLB").bib(book(2), "N2").holding("NORU")
    ingest("NORDBOK", [first.land(place)])
    one, two = sorted(bibs(place).values())
    send(place, SOLB)
    send(place, BOTH)
    ingest("NORDBOK", [Parcel().bib(book(3), "N3").holding("SOLB").land(place, 2)])
    three = max(bibs(place).values())
    ingest("NORDBOK", [Parcel().bib(book(1), "N1").holding("SOLB", is_delete=True).land(place, 3)])
    send(place, SOLB)
    assert carried(place, one, SOLB, BOTH) == [
        ("solberg", "unheld"),
        ("both", "written"),
        ("solberg", "written"),
    ]
    assert carried(place, two, SOLB, BOTH) == [("both", "written")]
    assert carried(place, three, SOLB, BOTH) == [("solberg", "written")]
    assert carried(place, three, ALL) == []  # of a profile that is gone nothing can be said
    ingest("NORDBOK", [Parcel().bib(book(4), "N4").holding("SOLB").land(place, 4)])
    send(place, SOLB)
    assert carried(place, three, SOLB) == [("solberg", "written")]  # its window is a past one now


def test_status_and_overview_show_the_last_files_and_the_last_snapshot(place: Workplace) -> None:
    ingest("NORDBOK", [Parcel().bib(book(1), "N1").holding("SOLB").land(place)])
    sent = send(place, SOLB)
    send(place, SOLB)
    with place.warehouse.write() as connection:
        ledger.note_failed(connection, "portal", "changes", "the place is away", None, place.now)
    start_run(place.warehouse, "m", "marts", "marts", place.now)
    finish_run(place.warehouse, "m", "done", {}, place.now)
    with place.warehouse.read() as connection:
        solberg, portal = sorted(newest_files(connection, NAMES), key=lambda each: each.profile, reverse=True)
        found = status.look(connection, place.settings, 10)
        page = figures(connection, place.today, ZoneInfo("Europe/Stockholm"), place.now)
    assert (solberg.state, solberg.name, solberg.delivered_at) == ("nothing", None, sent.delivered_at)
    assert (portal.is_wrong, portal.reason, portal.delivered_at) == (True, "the place is away", None)
    assert found.exports == (portal, solberg)
    assert found.marts_at is not None
    assert datetime.now(UTC) - found.marts_at < timedelta(minutes=5)

    text = shown(place, found)
    assert "! no file for portal: the place is away" in text
    assert "Last snapshot for analysts: " in text
    document: dict[str, Any] = status.document(found, place.settings, None)
    assert document["exports"] == found.exports
    assert [(each.profile, each.state) for each in page.exports] == [
        ("portal", "failed"), ("solberg", "delivered"), ("solberg", "nothing"),
    ]  # fmt: skip
    setting = Setting("Katalogen", ZoneInfo("Europe/Stockholm"), place.now)
    assert [each.what for each in needs(page, setting)] == ["No file for portal"]
    html = as_html(page, setting)
    assert sent.name in html
    assert "the place is away" in html


def shown(place: Workplace, found: status.Status) -> str:
    console = Console(file=io.StringIO(), width=160)
    status._render(console, place.settings, found, [])
    return str(console.file.getvalue())  # type: ignore[attr-defined]
