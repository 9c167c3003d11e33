"""Several sources for one person: whose value speaks for a path. The order in which files came in decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Literal, NamedTuple, TypeAlias

from schemas.patrons import ABSENT
from schemas.register.patron_policy import PatronPolicy, Precedence
from tasks.patrons.protection import Stated

ChoiceRule: TypeAlias = Literal["only_source", "value_over_null", "precedence", "recency", "source_id"]
CHOICE_WORDS: Mapping[ChoiceRule, str] = {
    "only_source": "the only source that carries it",
    "value_over_null": "the only source that has a value",
    "precedence": "the source that comes first by configuration",
    "recency": "the source that changed it last",
    "source_id": "the first source by its code, all else being equal",
}
UNRANKED = 100
"""Rank of a source that no configuration names: after all that are (1 to 99)."""


class SourceValue(NamedTuple):
    """What one source says of a path."""

    source: str
    value: Stated
    since: date
    """Business date on which it first said so. Not when it said so last: every nightly file repeats it."""


class Chosen(NamedTuple):
    """The value that speaks, and the rule that chose it."""

    source: str
    value: Stated
    rule: ChoiceRule


def ranks(policy: PatronPolicy, institution: str, path: str, own: Mapping[str, int]) -> Mapping[str, int]:
    """Source: rank (lower is asked first). `own` are the sources' own numbers; the closest row of the policy is above.

    A source that such a row does not name comes after those that it names, in its own order.
    """
    rows = [row for row in policy.precedence if _concerns(row, institution, path)]
    if not rows:
        return own
    row = max(rows, key=lambda each: (bool(each.paths), each.institution is not None))
    return {source: rank + UNRANKED for source, rank in own.items()} | {
        source: rank for rank, source in enumerate(row.sources, start=1)
    }


def _concerns(row: Precedence, institution: str, path: str) -> bool:
    return row.institution in (None, institution) and (not row.paths or path in row.paths)


def choose(values: Sequence[SourceValue], ranking: Mapping[str, int]) -> Chosen | None:
    """The value that speaks: by precedence, then the latest change, then the source's code. None: nobody carries it.

    A null speaks only where no source has a value: that one register lost a phone number does not make the number
    of another one wrong (docs/decisions/0015).
    """
    carried = [each for each in values if each.value is not ABSENT]
    if not carried:
        return None
    with_value = [each for each in carried if each.value is not None]
    rivals = with_value or carried
    best, *others = sorted(rivals, key=lambda each: _order(each, ranking))
    return Chosen(best.source, best.value, _rule(best, others, len(carried), ranking))


def _order(each: SourceValue, ranking: Mapping[str, int]) -> tuple[int, int, str]:
    return ranking.get(each.source, UNRANKED), -each.since.toordinal(), each.source


def _rule(best: SourceValue, others: list[SourceValue], carried: int, ranking: Mapping[str, int]) -> ChoiceRule:
    if not others:
        return "only_source" if carried == 1 else "value_over_null"
    (rank, day, _), (next_rank, next_day, _) = _order(best, ranking), _order(others[0], ranking)
    if rank != next_rank:
        return "precedence"
    return "recency" if day != next_day else "source_id"


def with_tonights(known: Iterable[SourceValue], source: str, value: Stated, day: date) -> list[SourceValue]:
    """What all sources say of a path after `source` has spoken; what it does not carry, it still says.

    A value that it only repeats keeps its day.
    """
    kept = list(known)
    before = next((each for each in kept if each.source == source), None)
    if value is ABSENT or (before is not None and before.value == value and type(before.value) is type(value)):
        return kept
    return [*(each for each in kept if each.source != source), SourceValue(source, value, day)]


def without(known: Iterable[SourceValue], source: str) -> list[SourceValue]:
    """What the others say once a source is given up."""
    return [each for each in known if each.source != source]
