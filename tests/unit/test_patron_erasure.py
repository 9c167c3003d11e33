"""What must hold before a person is erased, and the tombstone that stops the row while it keeps coming."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from schemas.register.patron_validity import ErasureRules
from tasks.patrons.erasure import Obligations, Tombstone, obstacles, stopped_by, tombstone_key

NOW = datetime(2025, 3, 14, 4, 0, tzinfo=UTC)
DAY = date(2025, 3, 14)
RULES = ErasureRules()
FREE = Obligations(NOW - timedelta(hours=24), 0, Decimal("0.00"), 0, 0, 0)
SALT = bytes(range(16))


def test_who_owes_nothing_and_is_erasable_can_be_erased() -> None:
    assert obstacles("erasable", FREE, RULES, NOW) == ()


@pytest.mark.parametrize(
    ("obligations", "words"),
    [
        (None, "no feed says what loans and balances there are"),
        (FREE._replace(as_of=NOW - timedelta(hours=25)), "the feed of loans and balances is older than 24 hours"),
        (FREE._replace(loans=1), "there are loans"),
        (FREE._replace(balance=Decimal("12.50")), "the balance is not zero"),
        (FREE._replace(balance=Decimal("-0.01")), "the balance is not zero"),
        (FREE._replace(requests=1), "there are requests"),
        (FREE._replace(on_hold_shelf=1), "there are items on the hold shelf"),
        (FREE._replace(staff_roles=1), "there are staff roles"),
    ],
)
def test_each_condition_stands_in_the_way_by_itself_also_when_the_person_asks(
    obligations: Obligations | None, words: str
) -> None:
    assert obstacles("erasable", obligations, RULES, NOW) == (words,)
    assert obstacles("active", obligations, RULES, NOW, is_asked_for=True) == (words,)


def test_only_who_is_erasable_or_asks_is_erased() -> None:
    assert obstacles("inactive", FREE, RULES, NOW) == ("the person is inactive, and nobody has asked for it",)
    assert obstacles("inactive", FREE, RULES, NOW, is_asked_for=True) == ()
    assert obstacles("erased", FREE, RULES, NOW, is_asked_for=True) == ("already erased",)


def test_a_tombstone_stops_the_row_while_it_keeps_coming_and_lapses_by_silence() -> None:
    stone = Tombstone(b"k", DAY)
    for night in range(1, 400):
        day = DAY + timedelta(night)
        assert stone.stops_on(day, RULES)
        stone = stone.seen(day)
    silent = stone.lapses_after(RULES)
    assert silent == DAY + timedelta(399 + 90)
    assert stone.stops_on(silent, RULES)
    assert not stone.stops_on(silent + timedelta(1), RULES)


def test_a_tombstone_stops_its_own_row_alone() -> None:
    def key(institution: str = "NORU", source: str = "HR", namespace: str = "primary_id", value: str = "n1") -> bytes:
        return tombstone_key(institution, source, namespace, value, SALT)

    others = [key("VEST"), key(source="STUD"), key(namespace="feide"), key(value="n2"), key("NORUH", "R")]
    assert key() not in others
    stones = [Tombstone(key(), DAY)]
    assert stopped_by(stones, [key()], DAY, RULES) == stones[0]
    assert stopped_by(stones, others, DAY, RULES) is None
    assert tombstone_key("NORU", "HR", "primary_id", "n1", bytes(16)) != key()


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        tombstone_key("NORU", "HR", "primary_id", "n1", b"short")
