"""The nightly overview as a page of its own (HTML) and as the artifact of its run (markdown), from the same figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2

from tasks.landing.rhythm import FeedRule, in_words
from tasks.quality import overview_charts as charts
from tasks.quality.overview_figures import MOST_LISTED, Figures, NightFigures, SenderNight

TEMPLATES = Path(__file__).parent / "templates"
VERDICTS = {
    FeedRule.AS_EXPECTED: "as expected",
    FeedRule.MISSING: "missing",
    FeedRule.STALE: "stale",
    FeedRule.SHRUNKEN: "too small",
}
COLUMNS = (
    "files", "held", "rejected", "read", "new", "replaced", "kept", "in review", "not accepted", "holdings",
    "on the shelf", "waiting", "not accepted (holdings)", "unreadable",
)  # fmt: skip
SHELVED = ("created", "updated", "unchanged", "deleted")
HASH_SHOWN = 8


@dataclass(frozen=True)
class Setting:
    """Whose page it is, and where it leads to. `made_at` is on the page; links are empty where there is nothing."""

    catalogue_name: str
    zone: ZoneInfo
    made_at: datetime
    docs_index: str = ""
    worklist: str = ""


@dataclass(frozen=True)
class Need:
    """Something that waits for a person."""

    what: str
    why: str
    since: str = ""
    command: str = ""
    link: str = ""
    link_text: str = ""


def as_html(figures: Figures, setting: Setting) -> str:
    """The page. It stands alone: no script, no style or picture from elsewhere."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("overview.html").render(
        catalogue=setting.catalogue_name,
        day=long_day(figures.night.on),
        begins=_clock(figures.night.begins, setting.zone),
        made=_clock(setting.made_at, setting.zone),
        tiles=_tiles(figures),
        needs=needs(figures, setting),
        columns=COLUMNS,
        senders=[{"sender": each.sender, "cells": _cells(each)} for each in figures.senders],
        series=[_series_row(each) for each in reversed(figures.series)],
        rejects=[
            {
                "rule": charts.in_words(each.rule),
                "record_type": each.record_type,
                "outcome": each.outcome,
                "number": each.number,
            }
            for each in figures.rejects
        ],
        feeds=[
            {
                "sender": each.feed.sender,
                "is_wrong": each.is_wrong,
                "verdict": VERDICTS[each.rule],
                "reason": in_words(each, setting.zone),
            }
            for each in figures.feeds
        ],
        exports=[
            {
                "profile": each.profile,
                "is_wrong": each.is_wrong,
                "state": each.state,
                "name": each.name or "",
                "records": each.records,
                "reason": each.reason,
            }
            for each in figures.exports
        ],
        marts=_clock(figures.marts_at, setting.zone),
        runs=[
            {"flow": flow, "number": sum(states.values()), "states": _counted(states)}
            for flow, states in figures.runs.by_flow.items()
        ],
        deliveries=figures.deliveries,
        more=figures.total.deliveries - len(figures.deliveries) if len(figures.deliveries) == MOST_LISTED else 0,
        docs_index=setting.docs_index,
        charts={
            "by_supplier": charts.by_supplier(figures.senders),
            "match_rate": charts.match_rate(figures.series),
            "review_backlog": charts.review_backlog(figures.series),
            "rejects": charts.rejects(figures.rejects),
        },
        alt=_in_place_of_charts(figures),
    )


def as_markdown(figures: Figures, setting: Setting, page: str) -> str:
    """The artifact: the tiles, what needs a person, the suppliers, and the match rate; `page` is where the page is."""
    lines = [f"# The night to {long_day(figures.night.on)}", "", f"The whole page: <{page}>", ""]
    lines += [f"* **{tile['number']}** {tile['what']}: {tile['note']}" for tile in _tiles(figures)]
    waiting = needs(figures, setting)
    if waiting:
        lines += ["", "## Needs a person", ""]
        lines += [f"* **{_cell(each.what)}**: {_cell(each.why)} {_code(each.command)}".rstrip() for each in waiting]
    if figures.senders:
        lines += ["", "## Deliveries by supplier", "", f"| supplier | {' | '.join(COLUMNS)} |"]
        lines += ["|---" + "|--:" * len(COLUMNS) + "|"]
        lines += [f"| {each.sender} | {' | '.join(map(str, _cells(each)))} |" for each in figures.senders]
    alt = _in_place_of_charts(figures)
    lines += ["", "## Match rate", "", f"![{alt['match_rate']}]({charts.match_rate(figures.series)})"]
    return "\n".join(lines)


def needs(figures: Figures, setting: Setting) -> list[Need]:
    """What waits for a person, the most urgent first."""
    zone = setting.zone
    found = [
        Need(f"{each.flow} {each.subject}".strip() + " failed", each.error, _clock(each.started_at, zone))
        for each in figures.runs.failed
    ]
    found += [
        Need(f"Feed {each.feed.sender} is {VERDICTS[each.rule]}", in_words(each, zone)) for each in figures.wrong_feeds
    ]
    found += [
        Need(f"No file for {each.profile}", each.reason, _clock(each.created_at, zone), "samkat export")
        for each in figures.exports
        if each.is_wrong
    ]
    found += [
        Need(
            f"Waits for approval: {each.change_class} of {each.scope}",
            each.reason,
            _clock(each.created_at, zone),
            f"samkat plans show {each.plan_hash[:HASH_SHOWN]}",
        )
        for each in figures.plans
    ]
    reviews, notices = figures.reviews, figures.notices
    if reviews.number:
        late = f"{reviews.late} past their day" if reviews.late else "none past its day"
        link = {"link": setting.worklist, "link_text": "Worklist"} if setting.worklist else {}
        what = f"{_plural(reviews.number, 'bib')} {'waits' if reviews.number == 1 else 'wait'} for a cataloguer"
        found.append(Need(what, late, _clock(reviews.since, zone), "samkat review list", **link))
    if notices.late:
        found.append(
            Need(f"{_plural(notices.late, 'e-mail')} could not be sent", "see out_notice", _clock(notices.since, zone))
        )
    return found


def _tiles(figures: Figures) -> list[dict[str, Any]]:
    """The night at a glance: what, how many, in which words, and whether somebody should look."""
    counts, runs = figures.total.counts, figures.runs
    failed, wrong = runs.by_state.get("failed", 0), len(figures.wrong_feeds)
    refused = sum(each.number for each in figures.rejects)
    matched = figures.total.match_share
    held = figures.held
    waits = figures.reviews.number + held
    return [
        _tile(figures.total.deliveries, "deliveries", f"from {_plural(len(figures.senders), 'supplier')}", False),
        _tile(
            counts.get("bibs_read", 0),
            "bibs",
            "no bib was decided" if matched is None else f"{matched:.0%} met one that was here",
            False,
        ),
        _tile(refused, "records not accepted", "told to their suppliers" if refused else "all were taken", False),
        _tile(
            waits,
            "wait for a person",
            f"{_plural(figures.reviews.number, 'review')}, {_plural(held, 'plan')}",
            bool(waits),
        ),
        _tile(runs.number, "runs", f"{failed} failed" if failed else "none failed", bool(failed)),
        _tile(
            len(figures.feeds),
            "feeds due",
            f"{wrong} not as expected" if wrong else "all as expected" if figures.feeds else "nothing was due",
            bool(wrong),
        ),
    ]


def _tile(number: int, what: str, note: str, needs_a_look: bool) -> dict[str, Any]:
    return {"number": f"{number:,}", "what": what, "note": note, "needs_a_look": needs_a_look}


def _cells(each: SenderNight) -> list[int]:
    """The columns of `COLUMNS`."""
    counts = each.counts
    bibs = [counts[f"bibs_{name}"] for name in ("read", "created", "replaced", "kept", "review", "rejected")]
    shelved = sum(counts[f"holdings_{name}"] for name in SHELVED)
    refused = counts["holdings_refused"] + counts["holdings_rejected"]
    holdings = [counts["holdings_read"], shelved, counts["holdings_waiting"], refused]
    return [each.deliveries, each.held, each.rejected, *bibs, *holdings, counts["records_unreadable"]]


def _series_row(each: NightFigures) -> dict[str, Any]:
    return {
        "on": each.on.isoformat(),
        "deliveries": each.deliveries,
        "bibs": each.counts.get("bibs_read", 0),
        "matched": _share(each.match_share),
        "review": _share(each.review_share),
        "backlog": each.backlog,
    }


def _in_place_of_charts(figures: Figures) -> dict[str, str]:
    """What each chart shows, in words."""
    series = [each for each in figures.series if each.match_share is not None]
    rates = [each.match_share or 0.0 for each in series]
    rate = (
        f"Matched: {_share(figures.total.match_share)} in the last night; {min(rates):.0%} to {max(rates):.0%} in"
        f" {_plural(len(series), 'night')} with bibs."
        if series
        else "No bibs came in these nights."
    )
    backlogs = [each.backlog for each in figures.series]
    by_rule: dict[str, int] = {}
    for line in figures.rejects:
        by_rule[line.rule] = by_rule.get(line.rule, 0) + line.number
    most = sorted(by_rule.items(), key=lambda item: (-item[1], item[0]))
    said = ", ".join(f"{charts.in_words(rule)} {number}" for rule, number in most)
    return {
        "by_supplier": "Bibs by supplier and outcome; the table below has the figures.",
        "match_rate": rate,
        "review_backlog": f"{backlogs[-1]} open now; at most {max(backlogs)} in these nights.",
        "rejects": f"Records that were not accepted: {said}." if said else "Every record was accepted.",
    }


def _plural(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _counted(states: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items()))


def long_day(day: date) -> str:
    """`Friday 14 March 2025`."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def _clock(at: datetime | None, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else ""


def _cell(text: str) -> str:
    """Text that cannot become markup in an artifact."""
    return "".join(f"\\{each}" if each in "\\`*_[]<>|#" else each for each in text)


def _code(command: str) -> str:
    return f"`{command}`" if command else ""
