"""Stages of quality: the gate before loading, the proof after it, and the Data Docs."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from prefect.artifacts import create_markdown_artifact
from prefect.settings import get_current_settings

from config.settings import environment_for_children
from schemas.errors import SamkatError
from schemas.outcomes import DeliveryState
from schemas.summaries import DeliverySummary
from tasks.batch import PROOF, STOPPED, each_delivery, rows_in_state
from tasks.catalogue.delivery_loading import loading_of
from tasks.catalogue.planning import reject_delivery
from tasks.landing.archive import report_key
from tasks.landing.feeds import feeds_of, judge_feeds
from tasks.matching.judging import STAGE as MATCH
from tasks.quality import docs_turns
from tasks.quality.docs_backlog import backlog, make_docs
from tasks.quality.docs_index import INDEX
from tasks.quality.docs_shelf import shelf_of
from tasks.quality.gate import check_deliveries as judge_deliveries
from tasks.quality.hold import Passage, pass_or_hold
from tasks.quality.stored_counts import prove_and_count
from tasks.quality.summary import as_markdown, summaries
from tasks.stage import run_id, stage, stage_logger
from tasks.warehouse.ledger import note_done, set_state, stages_done
from tasks.workplace import Workplace, workplace

BUSY = "another run is at it"
"""In the totals of a run that left the Data Docs to another one."""
DOCS_FLOW = "flows.data_docs"
GATE_LOCK = "gate"
IMPORT = "import"
"""Kind of deliveries that are held under a plan of their own."""
OF_THIS_RUN = "PREFECT__"
"""Variables in which a worker tells a process which run it is; a process of its own is another run."""


@stage()
def check_deliveries(deliveries: list[int]) -> Counter[str]:
    """Hold each delivery against its supplier's limits; what breaks one waits for approval, the rest goes on."""
    place = workplace()
    waiting = [DeliveryState.STAGED, DeliveryState.HELD]
    rows = _to_judge(place, deliveries, waiting)
    counts: Counter[str] = Counter(deliveries=len(rows))
    for sender in dict.fromkeys(row.sender for row in rows):
        supplier = place.sender(sender)
        with place.warehouse.write(GATE_LOCK) as connection:
            # Read again behind the lock: another run may have judged them and gone on meanwhile.
            some = {row.delivery_id: row for row in _to_judge(place, deliveries, waiting) if row.sender == sender}
            results = judge_deliveries(connection, list(some), supplier, place.register)
            previews = {each: results.pop(each) for each, row in some.items() if row.is_preview or row.kind == IMPORT}
            decisions = pass_or_hold(connection, results, now=place.now, run_id=run_id())
            for delivery_id, found in previews.items():
                # A dry run enters no plan; it says what would be held, and goes on to show the rest. An import waits
                # for a person in any case, who is told the same.
                breaches = [each.reason for each in found if each.is_breach]
                reason = f"would be held: {'; '.join(breaches)}" if breaches else None
                counts["would be held"] += bool(breaches)
                set_state(connection, delivery_id, DeliveryState.STAGED, hold_reason=reason)
            for delivery_id, decision in decisions.items():
                counts[decision.passage] += 1
                _carry_out(connection, place, some[delivery_id], decision.passage, decision.reason)
    return counts


def _to_judge(place: Workplace, deliveries: Collection[int], states: Collection[DeliveryState]) -> list[sa.Row[Any]]:
    """Deliveries that wait for the gate. One that was matched has been through it, and is held for another reason."""
    rows = rows_in_state(place.warehouse, deliveries, states)
    with place.warehouse.read() as connection:
        matched = stages_done(connection, [row.delivery_id for row in rows], MATCH)
    return [row for row in rows if row.delivery_id not in matched]


def _carry_out(connection: sa.Connection, place: Workplace, row: sa.Row[Any], passage: Passage, reason: str) -> None:
    if passage == Passage.HELD:
        set_state(connection, row.delivery_id, DeliveryState.HELD, hold_reason=reason)
    elif passage == Passage.REJECTED:
        why = f"a person rejected the delivery: {reason}"
        reject_delivery(connection, loading_of(place, row), "delivery_rejected", why)
        set_state(connection, row.delivery_id, DeliveryState.REJECTED, hold_reason=why, finished_at=place.now)
    else:
        set_state(connection, row.delivery_id, DeliveryState.STAGED, hold_reason=None)


@stage()
def prove_conservation(deliveries: list[int], *, settled_too: bool = False) -> Counter[str]:
    """Prove from the warehouse that every record ended in exactly one counted outcome; what does not add up fails."""
    place = workplace()

    def work(row: sa.Row[Any]) -> Counter[str]:
        return together([row])[1]

    def together(rows: Sequence[sa.Row[Any]]) -> tuple[frozenset[int], Counter[str]]:
        ids = [row.delivery_id for row in rows]
        with place.warehouse.write() as connection:
            proofs = prove_and_count(connection, ids)
            note_done(connection, ids, PROOF, place.now)
        pieces, unreadable = sum(each.pieces for each in proofs), sum(each.unreadable for each in proofs)
        return frozenset(ids), Counter(pieces=pieces, unreadable=unreadable)

    states = [DeliveryState.LOADED, DeliveryState.REJECTED]
    if settled_too:
        states += [DeliveryState.SETTLED, DeliveryState.REVERTED]
    return each_delivery(rows_in_state(place.warehouse, deliveries, states), work, together)


@stage()
def write_data_docs(limit: int = 500) -> Counter[str]:
    """Make the Data Docs of the oldest deliveries that were judged and have none, at most `limit`.

    Ends at once where another process makes them already. What cannot be made is logged and counted, and tried again
    by the next run.
    """
    place = workplace()
    folder = place.settings.data_docs
    with docs_turns.at_work(folder) as is_our_turn:
        if not is_our_turn:
            stage_logger().info("another run makes the Data Docs of %s already", folder)
            return Counter({BUSY: 1})
        names = {each.code: each.name for each in place.register.suppliers}
        shelf = shelf_of(folder, place.zone)
        made = make_docs(place.warehouse, shelf, names, ZoneInfo(place.settings.timezone), place.now, limit)
    for problem in made.problems:
        stage_logger().warning("%s", problem)
    return made.counts


@stage()
def start_data_docs(deliveries: list[int]) -> Counter[str]:
    """See to the Data Docs as SAMKAT_DATA_DOCS says, where one of `deliveries` has none: in the background, or now.

    They are for people to look at, so nothing that goes wrong with them fails the run.
    """
    try:
        place = workplace()
        mode = place.settings.data_docs_mode
        with place.warehouse.read() as connection:
            if mode == "off" or not backlog(connection, limit=1, among=deliveries).judged:
                return Counter()
        return write_data_docs.fn() if mode == "wait" else _start_in_background(place)
    except Exception as error:
        stage_logger().warning("the Data Docs are left to a later run: %s", error, exc_info=error)
        return Counter(problems=1)


def _start_in_background(place: Workplace) -> Counter[str]:
    """A process of its own, which outlives this run; its flow reports to the same Prefect server."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OF_THIS_RUN)}
    environment = inherited | environment_for_children(place.settings)
    api_url = get_current_settings().api.url
    if api_url:
        environment["PREFECT_API_URL"] = api_url
    log = place.settings.home / "logs" / "data-docs.log"
    started = docs_turns.start_waiting(place.settings.data_docs, DOCS_FLOW, log, environment)
    return Counter({"started in the background": 1} if started else {"one waits already": 1})


@stage()
def write_overview() -> Counter[str]:
    """Make the page of last night and put it into `reports/overview/` of the landing zone, dated and as the latest."""
    # Charts are for the one run a night that draws them: the others start sooner without.
    from tasks.quality.overview_figures import figures
    from tasks.quality.overview_page import Setting, as_html
    from tasks.quality.overview_page import as_markdown as overview_as_markdown

    place = workplace()
    zone = ZoneInfo(place.settings.timezone)
    with place.warehouse.read() as connection:
        feeds = judge_feeds(connection, feeds_of(place.register), zone, place.settings.as_of())
        found = figures(connection, place.today, zone, place.now, feeds)
    docs, index = place.settings.data_docs / INDEX, place.settings.data_docs_index
    worklist = report_key("worklist", "worklist.html")
    setting = Setting(
        place.register.catalogue.name,
        zone,
        place.now,
        # In a bucket it is not looked for; on this machine it may not have been made yet.
        docs_index="" if index == docs.as_uri() and not docs.is_file() else index,
        # From `reports/overview/`, so that the area can be copied to a web server as it is.
        worklist="../worklist/worklist.html" if place.zone.exists(place.zone.uri_for(worklist)) else "",
    )
    page = as_html(found, setting).encode()
    uri = place.zone.put(report_key("overview", f"{place.today}.html"), page, overwrite=True)
    place.zone.put(report_key("overview", "latest.html"), page, overwrite=True)
    if run_id() is not None:
        text = overview_as_markdown(found, setting, uri)
        create_markdown_artifact(text, key="overview", description="How the night went and what needs a person")
    return Counter(
        {
            "deliveries": found.total.deliveries,
            "runs": found.runs.number,
            "runs failed": found.runs.by_state.get("failed", 0),
            "feeds not as expected": len(found.wrong_feeds),
            "waiting for a person": found.reviews.number + found.held,
        }
    )


@stage()
def summarise(
    subject: str, deliveries: list[int], previews: dict[int, dict[str, int]] | None = None
) -> list[DeliverySummary]:
    """Sum up the run: a table and a chart as an artifact, and a line a delivery for whoever started it."""
    place = workplace()
    with place.warehouse.read() as connection:
        found = summaries(connection, deliveries, previews)
    if run_id() is not None:
        title = f"{subject}: dry run, nothing settled" if previews is not None else subject
        key = re.sub(r"[^a-z0-9-]", "-", f"deliveries-{subject}".lower())
        text = as_markdown(title, found, place.settings.data_docs_index)
        create_markdown_artifact(text, key=key, description="What came in and what became of it")
    stopped = [each for each in found if each.reason.startswith(STOPPED) and each.state not in _ENDED]
    if stopped:
        raise SamkatError(
            "; ".join(f"delivery {each.delivery_id} ({each.name}) is {each.state}, {each.reason}" for each in stopped),
            remedy="the other deliveries went on; the next run takes these up where they stopped",
        )
    return found


_ENDED = (DeliveryState.SETTLED, DeliveryState.REJECTED, DeliveryState.REVERTED)
