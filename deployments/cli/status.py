"""`samkat status`: how the night went, what waits for a person, what did not come. Read from the warehouse alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from deployments.cli import place
from deployments.cli.deliveries import STATE_WORDS, counts_in_words
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, print_table, prose
from deployments.cli.server import in_words

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy.engine import Connection

    from config.settings import Settings
    from tasks.landing.rhythm import FeedVerdict
    from tasks.quality.overview_figures import SenderNight
    from tasks.warehouse.nights import Night, NightRuns
    from tasks.warehouse.overview import DeliveryLine, Overview, Run, Waiting
    from tasks.warehouse.read_backs import HeldReadBack
    from tasks.warehouse.services import LocalFile
    from tasks.warehouse.systems_in_trouble import SystemInTrouble

IN_SHORT = ("deliveries", "bibs read", "holdings read", "unreadable")
"""Of a run that took deliveries; what became of their records stands with each delivery."""
MOST_TOTALS = 4
LONGEST_ERROR = 120


@dataclass(frozen=True)
class Status:
    """Everything that the command shows."""

    night: Night
    runs: NightRuns
    suppliers: tuple[SenderNight, ...]
    feeds: tuple[FeedVerdict, ...]
    overview: Overview
    read_backs: tuple[HeldReadBack, ...] = ()
    """Of library systems, that were not used, and after which none was."""
    systems: tuple[SystemInTrouble, ...] = ()
    """Systems of staff accounts that get nothing until they are well."""
    exports: tuple[LocalFile, ...] = ()
    """The last nightly file of each export profile of the register."""
    marts_at: datetime | None = None
    """When the last snapshot for analysts was made."""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "status", "samkat status", "samkat status --json")
    def status(
        newest: Annotated[int, typer.Option("--newest", min=1, help="How many runs and deliveries to list.")] = 10,
        as_json: AsJson = False,
    ) -> None:
        """Show how the last night went, what waits for a person and since when, and which expected feed is missing."""
        from deployments.local_server import server_status

        settings = place.settings()
        with place.warehouse(settings) as warehouse, warehouse.read() as connection:
            found = look(connection, settings, newest)
        server = server_status(settings)
        Output(as_json).show(
            document(found, settings, server), lambda console: _render(console, settings, found, in_words(server))
        )


def look(connection: Connection, settings: Settings, newest: int) -> Status:
    """Read everything; `newest` runs and deliveries are listed. Raises `ConfigurationError` for a wrong register."""
    from tasks.landing.feeds import feeds_of, judge_feeds
    from tasks.quality.overview_figures import senders_of
    from tasks.warehouse.nights import nights, runs_of
    from tasks.warehouse.overview import overview
    from tasks.warehouse.read_backs import held_read_backs
    from tasks.warehouse.services import last_marts_at, newest_files
    from tasks.warehouse.systems_in_trouble import systems_in_trouble

    zone, today = ZoneInfo(settings.timezone), settings.business_date()
    (night,) = nights(today, zone, datetime.now(UTC))
    known = place.register(settings)
    feeds = judge_feeds(connection, feeds_of(known), zone, settings.as_of())
    return Status(
        night=night,
        runs=runs_of(connection, night),
        suppliers=senders_of(connection, night),
        feeds=tuple(feeds),
        overview=overview(connection, today, newest=newest),
        read_backs=tuple(held_read_backs(connection)),
        systems=tuple(systems_in_trouble(connection)),
        exports=newest_files(connection, known.export_profile_by_name),
        marts_at=last_marts_at(connection),
    )


def document(found: Status, settings: Settings, server: object) -> dict[str, Any]:
    """The answer as `--json` prints it; docs/cli.md lists the keys."""
    from tasks.landing.feeds import as_row

    zone = ZoneInfo(settings.timezone)
    return {
        "home": settings.home,
        "warehouse": settings.warehouse_shown,
        "business_date": settings.business_date(),
        "server": server,
        "data_docs": settings.data_docs_index,
        "night": {
            "on": found.night.on,
            "begins": found.night.begins,
            "ends": found.night.ends,
            "runs": found.runs.number,
            "runs_by_state": found.runs.by_state,
            "runs_by_flow": found.runs.by_flow,
            "failed": found.runs.failed,
            "suppliers": found.suppliers,
        },
        "feeds": [as_row(each, zone) for each in found.feeds],
        "read_backs": found.read_backs,
        "systems_in_trouble": found.systems,
        "exports": found.exports,
        "marts": {"made_at": found.marts_at},
        "overview": found.overview,
    }


def _render(console: Console, settings: Settings, found: Status, server: list[str]) -> None:
    prose(console, f"Samkat in {settings.home}, business date {settings.business_date()}", *server, "")
    _render_night(console, settings, found)
    _render_needs(console, settings, found)
    _render_deliveries(console, settings, found.overview)
    _render_services(console, settings, found)
    _render_runs(console, settings, found.overview)


def _render_night(console: Console, settings: Settings, found: Status) -> None:
    runs = _counted(found.runs.by_state) if found.runs.number else "nothing ran"
    since = place.moment(found.night.begins, settings)
    title = f"Last night, since {since}: {runs}"
    if not found.suppliers:
        prose(console, f"{title}; no supplier delivered anything.", "")
        return
    rows = (
        (each.sender, each.deliveries, each.held or None, each.rejected or None, *_outcomes(each.counts))
        for each in found.suppliers
    )
    columns = ("supplier", "files", "held", "rejected", "bibs", "new", "matched", "review", "refused",
               "holdings", "waiting", "unreadable")  # fmt: skip
    print_table(console, title, columns, rows, columns)


def _outcomes(counts: Mapping[str, int]) -> Iterator[int | None]:
    """bibs, new, matched, in review, refused (bibs and holdings), holdings, waiting, unreadable."""
    for names in (
        ("bibs_read",),
        ("bibs_created",),
        ("bibs_replaced", "bibs_kept"),
        ("bibs_review",),
        ("bibs_rejected", "holdings_rejected", "holdings_refused"),
        ("holdings_read",),
        ("holdings_waiting",),
        ("records_unreadable",),
    ):
        yield sum(counts[name] for name in names) or None


def _render_needs(console: Console, settings: Settings, found: Status) -> None:
    """What waits for a person; of what went wrong by itself the reason stands under the table."""
    wrong = [each for each in found.feeds if each.is_wrong]
    waiting: list[tuple[str, Waiting, str]] = [
        ("changes held by a guard", found.overview.plans, "samkat plans list"),
        ("bibs in review", found.overview.reviews, "samkat review list"),
        ("bibs that look like one", found.overview.pairs, "samkat review list"),
        ("e-mails not sent", found.overview.notices, "the next run sends them; failed ones: view out_notice"),
    ]
    rows: list[Sequence[object]] = []
    if found.runs.failed:
        number, first = found.runs.by_state["failed"], found.runs.failed[-1].started_at
        rows.append(("runs that failed", number, place.moment(first, settings), None, "see below, then run them again"))
    if wrong:
        rows.append(("feeds not as expected", len(wrong), None, None, "see below, then ask the sender"))
    failed_exports = [each for each in found.exports if each.is_wrong]
    if failed_exports:
        first = min(each.created_at for each in failed_exports)
        remedy = "see below; the next run sends what is owed"
        rows.append(("files for local systems", len(failed_exports), place.moment(first, settings), None, remedy))
    if found.read_backs:
        number, first = len(found.read_backs), found.read_backs[0].taken_at
        remedy = "see below, then have the library system export its users anew"
        rows.append(("read-backs not used", number, place.moment(first, settings), None, remedy))
    if found.systems:
        since = min(each.since for each in found.systems)
        remedy = "nothing is lost: the next sweep sends what waits"
        rows.append(("systems in trouble", len(found.systems), place.moment(since, settings), None, remedy))
    rows += [
        (name, each.number, place.moment(each.since, settings), each.late or None, remedy)
        for name, each, remedy in waiting
        if each.number
    ]
    if not rows:
        prose(console, "Nothing waits for a person.", _feeds_in_a_line(found.feeds), "")
        return
    print_table(console, "Waits for a person", ("what", "number", "since", "late", "what to do"), rows, ("since",))
    for failed in found.runs.failed:
        at = place.moment(failed.started_at, settings)
        prose(console, f"! {at} {failed.flow} {failed.subject}".rstrip() + f" failed: {failed.error}")
    for each in wrong:
        prose(console, f"! {_feed_in_words(each, settings)}")
    for export in failed_exports:
        prose(console, f"! no file for {export.profile}: {export.reason}")
    for held in found.read_backs:
        at = place.moment(held.as_of, settings)
        prose(console, f"! read-back of {held.institution} as of {at} was not used: {held.reason}")
    for system in found.systems:
        prose(console, f"! accounts of {system.system}: the system is in trouble, its change file waits")
    prose(console, *([] if wrong else [_feeds_in_a_line(found.feeds)]), "")


def _feeds_in_a_line(feeds: Sequence[FeedVerdict]) -> str:
    return f"All {len(feeds)} feeds that were due came as expected." if feeds else "No feed was due."


def _feed_in_words(each: FeedVerdict, settings: Settings) -> str:
    from tasks.landing.rhythm import in_words as feed_in_words

    rule = each.rule.removeprefix("feed_")
    return f"feed {each.feed.sender} is {rule}: {feed_in_words(each, ZoneInfo(settings.timezone))}"


def _render_deliveries(console: Console, settings: Settings, found: Overview) -> None:
    if not found.newest:
        prose(console, "No delivery has come yet.", "")
        return
    states = _counted(found.deliveries_by_state)
    shown = {each.delivery_id: each for each in (*found.unfinished, *found.newest)}
    newest_first = sorted(shown.values(), key=lambda line: -line.delivery_id)
    columns = ("delivery", "received", "sender", "file", "state", "bibs", "holdings", "unreadable")
    rows = (
        (
            each.delivery_id,
            place.moment(each.received_at, settings),
            each.sender,
            each.name,
            STATE_WORDS[each.state],
            counts_in_words(each.counts, "bibs"),
            counts_in_words(each.counts, "holdings"),
            each.counts["records_unreadable"] or None,
        )
        for each in newest_first
    )
    print_table(console, f"Deliveries: {states}", columns, rows, ("received", "sender"))
    _render_remarks(console, newest_first)
    if any(each.docs_uri for each in newest_first):
        prose(console, f"Data Docs of each: {settings.data_docs_index}", "")


def _render_services(console: Console, settings: Settings, found: Status) -> None:
    """The last file of each local system, and the last snapshot for analysts."""
    rows = [
        (
            each.profile,
            each.state,
            place.moment(each.created_at, settings),
            each.name,
            each.records or None,
            place.moment(each.delivered_at, settings) if each.delivered_at else None,
        )
        for each in found.exports
    ]
    if rows:
        columns = ("profile", "last export", "when", "file", "records", "last delivered")
        print_table(console, "Files for local systems", columns, rows, ("profile",))
    if found.marts_at:
        prose(console, f"Last snapshot for analysts: {place.moment(found.marts_at, settings)}", "")


def _render_remarks(console: Console, lines: Sequence[DeliveryLine]) -> None:
    remarks = [f"! delivery {each.delivery_id}: {each.hold_reason}" for each in lines if each.hold_reason]
    if remarks:
        prose(console, *remarks, "")


def _render_runs(console: Console, settings: Settings, found: Overview) -> None:
    if not found.runs:
        prose(console, "No flow has run yet.")
        return
    rows = (
        (
            place.moment(each.started_at, settings),
            each.flow,
            each.subject,
            each.state,
            round((each.finished_at - each.started_at).total_seconds(), 1) if each.finished_at else None,
            _totals(each),
        )
        for each in found.runs
    )
    print_table(console, "Runs", ("started", "flow", "about", "state", "seconds", "totals"), rows, ("started", "flow"))


def _totals(run: Run) -> str:
    """The run's totals in short; of a failed one its error."""
    if run.state == "failed":
        return " ".join(str(run.summary.get("error", "")).split())[:LONGEST_ERROR]
    said = {name: value for name, value in run.summary.items() if value and _is_count(value)}
    names = [name for name in IN_SHORT if name in said] if "bibs read" in said else list(said)[:MOST_TOTALS]
    return ", ".join(f"{name.removesuffix(' read')} {said[name]}" for name in names)


def _counted(by_state: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(by_state.items()))


def _is_count(value: object) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)
