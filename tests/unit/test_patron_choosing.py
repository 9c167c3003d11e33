"""Several sources for one person: who speaks, and by which rule."""

from __future__ import annotations

from datetime import date

import pytest

from schemas.patrons import ABSENT
from schemas.register.patron_policy import PatronPolicy, Precedence
from tasks.patrons.choosing import Chosen, SourceValue, choose, ranks
from tasks.patrons.protection import Stated

EARLY, LATE = date(2025, 3, 1), date(2025, 3, 2)
RANKS = {"STAFF": 10, "STUD": 20, "ALSO": 20}


def value(source: str, said: Stated, since: date = EARLY) -> SourceValue:
    return SourceValue(source, said, since)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([value("STUD", "a")], Chosen("STUD", "a", "only_source")),
        ([value("STUD", "a"), value("STAFF", ABSENT)], Chosen("STUD", "a", "only_source")),
        ([value("STUD", "a"), value("STAFF", None)], Chosen("STUD", "a", "value_over_null")),
        ([value("STUD", "a", LATE), value("STAFF", "b")], Chosen("STAFF", "b", "precedence")),
        ([value("STUD", "a"), value("ALSO", "b", LATE)], Chosen("ALSO", "b", "recency")),
        ([value("STUD", "a"), value("ALSO", "b")], Chosen("ALSO", "b", "source_id")),
        ([value("STUD", None), value("STAFF", None)], Chosen("STAFF", None, "precedence")),
        ([value("UNKNOWN", "a", LATE), value("STUD", "b")], Chosen("STUD", "b", "precedence")),
    ],
)
def test_precedence_then_recency_then_the_sources_code(values: list[SourceValue], expected: Chosen) -> None:
    assert choose(values, RANKS) == expected


def test_where_nobody_carries_it_nobody_speaks() -> None:
    assert choose([], RANKS) is None
    assert choose([value("STUD", ABSENT)], RANKS) is None


def test_the_closest_row_of_the_policy_is_above_the_sources_own_order() -> None:
    rows = (
        Precedence(sources=("ALSO",)),
        Precedence(institution="NORU", sources=("STUD",)),
        Precedence(institution="NORU", paths=("emails",), sources=("ALSO", "STUD")),
    )
    policy = PatronPolicy(precedence=rows)

    def order(institution: str, path: str) -> list[str]:
        ranking = ranks(policy, institution, path, RANKS)
        return sorted(RANKS, key=lambda source: (ranking[source], source))

    assert order("NORU", "emails") == ["ALSO", "STUD", "STAFF"]
    assert order("NORU", "phones") == ["STUD", "STAFF", "ALSO"]
    assert order("VEST", "phones") == ["ALSO", "STAFF", "STUD"]
    assert ranks(PatronPolicy(), "NORU", "phones", RANKS) == RANKS
