"""What a person reads before deciding: the page (markdown) beside the form. Numbers, samples, reasons; no persons."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby

from tasks.deciding.form import MOST_CANDIDATES
from tasks.deciding.waiting import HASH_SHOWN, HeldClass, Waiting
from tasks.notices.worklist import DuplicateCase, ReviewCase

_MARKUP = str.maketrans({each: f"\\{each}" for each in "\\|*_`[]<>#"})


def as_markdown(waiting: Waiting, said: Collection[str]) -> str:
    """Everything that one form asks, and first what was said to the last one."""
    lines = ["# Waits for a decision", "", *_said(said), *(f"* {_plain(each)}" for each in waiting.decided), ""]
    if waiting.is_empty:
        return "\n".join([*lines, "Nothing waits."])
    for plan_hash, classes in groupby(waiting.classes, key=lambda each: each.plan_hash):
        lines += _plan(plan_hash, list(classes))
    if waiting.cases:
        lines += ["## Reviews", "", "| review | new record | why | libraries waiting | due |", "|--:|---|---|---|---|"]
        lines += [_case_row(each) for each in waiting.cases]
        for case in waiting.cases:
            lines += _case(case)
    if waiting.pairs:
        lines += ["", "## Bibs that look like one", ""]
        for pair in waiting.pairs:
            lines += _pair(pair)
    if waiting.further:
        lines += ["", f"{waiting.further} more wait; they are asked the next time."]
    return "\n".join(lines)


def description(said: Collection[str], further: int) -> str:
    """The words above the form."""
    more = [f"{further} more wait; they are asked the next time."] if further else []
    how = "Choose for each; what you `leave` goes on waiting. The run's artifact shows numbers and samples."
    return "\n\n".join([*(f"**Not taken:** {each}" for each in said), how, *more])


def _said(said: Collection[str]) -> list[str]:
    return ["## Not taken", "", *(f"* {_plain(each)}" for each in said), ""] if said else []


def _plan(plan_hash: str, classes: Sequence[HeldClass]) -> list[str]:
    first = classes[0]
    number = "" if first.delivery_id is None else f" (delivery {first.delivery_id})"
    lines = [
        f"## Plan {plan_hash[:HASH_SHOWN]}: {_plain(first.delivery)}{number}",
        "",
        "| class of change | planned | of | limit | why |",
        "|---|--:|--:|--:|---|",
    ]
    lines += [
        f"| {_plain(each.change_class)} | {each.planned} | {each.population} | {each.limit:g} | {_plain(each.reason)} |"
        for each in classes
    ]
    for each in classes:
        if each.samples:
            what = "first records of it" if each.change_class.startswith("quality:") else each.change_class
            lines += ["", f"Samples, {_plain(what)}:", ""]
            lines += [
                f"* record {one.position}: {_plain(one.title or '[no title]')}"
                f"{f', {_plain(one.control_number)}' if one.control_number else ''}"
                f"{f', {_plain(one.library)}' if one.library else ''}"
                for one in each.samples
            ]
    same = f"samkat plans approve {plan_hash[:HASH_SHOWN]} --by NAME"
    return [*lines, "", f"The same by command: `{same}` (or `reject`).", ""]


def _case_row(case: ReviewCase) -> str:
    title = case.incoming.get("title") or "[no title]"
    libraries = " ".join(dict.fromkeys(each.sigel for each in case.waiting))
    return f"| {case.review_id} | {_plain(title)} | {_plain(case.reason.text)} | {libraries} | {case.due_on} |"


def _case(case: ReviewCase) -> list[str]:
    lines = ["", f"**Review {case.review_id}**, record {case.position} of {_plain(case.file_name)}:", ""]
    shown = ("title", "edition", "year", "extent", "isbn")
    new = ", ".join(_plain(case.incoming.get(name)) for name in shown if case.incoming.get(name))
    lines.append(f"* new: {new}")
    for each in case.candidates[:MOST_CANDIDATES]:
        card = ", ".join(_plain(each.card.get(name)) for name in shown if each.card.get(name))
        lines.append(f"* `match:{each.bib_id}`: {card} ({each.score:.2f} points)")
    return lines


def _pair(pair: DuplicateCase) -> list[str]:
    shown = ("title", "edition", "year", "extent", "isbn")
    lines = [f"**{pair.key}**, {pair.candidate.score:.2f} points: {_plain(pair.reason.text)}", ""]
    for bib_id, card, held in (
        (pair.candidate.bib_id, pair.candidate.card, pair.held_candidate),
        (pair.bib_id, pair.incoming, pair.held),
    ):
        words = ", ".join(_plain(card.get(name)) for name in shown if card.get(name))
        lines.append(f"* `same:{bib_id}` keeps: {words}; held by {_plain(' '.join(held)) or 'no library'}")
    return [*lines, "* `different`: they are two, and are not offered again", ""]


def _plain(text: str) -> str:
    """Text of a delivery is text, never markup."""
    return " ".join(text.split()).translate(_MARKUP)
