"""Pairs of bibs that look like one, as `samkat review` and `samkat catalogue duplicates` show and name them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deployments.cli import place
from deployments.cli.output import Output, print_table, prose
from schemas.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from tasks.merging.shown import ShownPair
    from tasks.notices.worklist import DuplicateCase

PAIR_OPTIONS = ("--same", "--different")


def number_of(text: str) -> tuple[int, bool]:
    """The number of a review (`4`), or of a pair (`D4`) and that it is one. Raises `UsageError` for neither."""
    found = re.fullmatch(r"([Dd]?)(\d{1,18})", text.strip())
    if found is None:
        raise UsageError(f"{text!r} is not the number of a review", remedy="`samkat review list` shows what waits")
    return int(found[2]), bool(found[1])


def pair_word(same: bool, keep: int | None) -> str:
    """What --same and --keep say together. Raises `UsageError` for --keep alone."""
    if keep is not None and not same:
        raise UsageError("--keep goes with --same", remedy="say --same --keep BIB, or --different")
    return "" if not same else "same" if keep is None else f"same:{keep}"


def render_pairs(console: Console, pairs: list[ShownPair]) -> None:
    """The pairs that wait, a line each."""
    columns = ("review", "bibs", "title", "why", "points", "owner")
    rows = (
        (
            f"D{each.duplicate_id}",
            f"{each.first_id}, {each.second_id}",
            " / ".join(dict.fromkeys((each.first_title, each.second_title))),
            each.reason,
            f"{each.score:.2f}",
            each.owner,
        )
        for each in pairs
    )
    print_table(console, f"{len(pairs)} pair{'s' if len(pairs) != 1 else ''} of bibs that look like one", columns, rows)
    prose(console, "`samkat review show D1` shows one side by side; `samkat review decide D1 --same|--different`.")


def show_pair(settings: Settings, number: int, output: Output) -> None:
    """Show a pair side by side. Raises `UsageError` where there is none of this number."""
    from zoneinfo import ZoneInfo

    from tasks.merging.shown import shown_pairs
    from tasks.notices.pair_cases import duplicate_cases

    place.register(settings)
    with place.warehouse(settings) as warehouse, warehouse.read() as connection:
        lines = shown_pairs(connection, ids=[number])
        cases = duplicate_cases(connection, ZoneInfo(settings.timezone), most=1, duplicate_ids=[number])
    if not lines:
        raise UsageError(f"there is no pair D{number}", remedy="`samkat review list` shows what waits")
    if not cases:
        output.show({"pair": lines[0]}, lambda console: prose(console, _in_words(lines[0])))
        return
    document = {"pair": lines[0], "case": cases[0]}
    output.show(document, lambda console: _render_case(console, lines[0], cases[0]))


def _in_words(line: ShownPair) -> str:
    decided = f", by {line.decided_by}" if line.decided_by else ""
    return f"Pair D{line.duplicate_id}, bibs {line.first_id} and {line.second_id}: {line.state}{decided}"


def _render_case(console: Console, line: ShownPair, case: DuplicateCase) -> None:
    from deployments.cli.review import SIGNS
    from tasks.notices.cards import compare_cards

    prose(console, _in_words(line), f"Why: {case.reason.text}", f"With {case.owner} since {case.found_on}")
    title = f"{case.candidate.verdict}, {case.candidate.score:.2f} points"
    rows = (
        (
            field.name.replace("_", " "),
            SIGNS[field.relation],
            " ".join(segment.text for segment in field.candidate),
            " ".join(segment.text for segment in field.incoming),
        )
        for field in compare_cards(case.incoming, case.candidate.card)
    )
    columns = ("field", "", f"bib {case.candidate.bib_id}", f"bib {case.bib_id}")
    print_table(console, title, columns, rows)
    prose(
        console,
        f"Held by {' '.join(case.held_candidate) or 'no library'}; {' '.join(case.held) or 'no library'}",
        *(f"  {each.points:+.2f}  {each.name}: {each.text}" for each in case.candidate.evidence),
    )
    if line.state in ("open", "aside"):
        prose(console, f"Decide: samkat review decide {case.key} --same [--keep BIB] --by NAME (or --different)")


def render_decided_pairs(console: Console, pairs: list[ShownPair], done: dict[str, str]) -> None:
    """What became of pairs that were decided, a line each."""
    columns = ("review", "bibs", "state", "by", "what came of it")
    rows = [
        (
            f"D{each.duplicate_id}",
            f"{each.first_id}, {each.second_id}",
            each.state,
            each.decided_by,
            done.get(f"D{each.duplicate_id}", "nothing"),
        )
        for each in pairs
    ]
    if rows:
        print_table(console, "Decided", columns, rows)
