"""Which ISBNs are a record's own, and what shared numbers are worth."""

from __future__ import annotations

import pytest

from schemas.marc import IsbnFact, data_field
from schemas.register.matching import MatchingPolicy
from tasks.marc.isbn import isbn_fact
from tasks.matching.isbn_sharing import IsbnComparison, OwnNumbers, compare_isbns, own_numbers

POLICY = MatchingPolicy()
A, B, C, D = "9789101000010", "9789101000027", "9789101000034", "9789101000041"


def facts(*values: str | tuple[str, str], cancelled: tuple[str, ...] = ()) -> list[IsbnFact]:
    pairs = [(each, "") if isinstance(each, str) else each for each in values]
    return [isbn_fact(raw, "a", qualifier) for raw, qualifier in pairs] + [isbn_fact(raw, "z") for raw in cancelled]


def own(
    *values: str | tuple[str, str], carrier: str = "print", cancelled: tuple[str, ...] = (), related: str = ""
) -> OwnNumbers:
    fields = [data_field("776", "08", [("z", related)])] if related else []
    return own_numbers(facts(*values, cancelled=cancelled), carrier, fields)


def compared(one: OwnNumbers, other: OwnNumbers) -> IsbnComparison:
    return compare_isbns(one, other, POLICY)


def test_the_qualifier_and_the_carrier_say_whose_number_it_is() -> None:
    both = ((A, "inb."), (B, "e-bok"))
    assert own(*both).own == {A}
    assert own(*both, carrier="online").own == {B}
    assert own(*both, carrier="online").other_carrier == {A}


def test_without_a_carrier_two_qualifiers_leave_no_own_number() -> None:
    unclear = own((A, "inb."), (B, "e-bok"), carrier="")
    assert unclear.own == frozenset()
    assert unclear.other_carrier == {A, B}


def test_the_number_of_a_776_is_not_the_record_s_own() -> None:
    assert own(A, B, related=A).own == {B}
    assert own(A, related="978-91-0-100001-0").related == {A}


def test_sets_cancelled_and_invalid_numbers_are_kept_apart() -> None:
    numbers = own((A, "hela verket"), (B, "del 1"), "9789101000011", cancelled=(C,))
    assert numbers.own == {B}
    assert numbers.sets == {A}
    assert numbers.cancelled == {C}
    assert numbers.invalid == {"9789101000011"}


def test_a_shared_number_loses_a_fifth_for_each_unshared_one() -> None:
    assert compared(own(A), own(A)).points == 0.75
    assert compared(own(A, B), own(A)).points == pytest.approx(0.6)
    assert compared(own(A, B), own(A, C)).points == pytest.approx(0.48)


def test_weak_numbers_never_count_as_shared_a() -> None:
    assert compared(own(A), own(B, cancelled=(A,))).sharing == "az"
    assert compared(own(cancelled=(A,)), own(cancelled=(A,))) == IsbnComparison("z", 0.5, (A,), f"shared $z {A}")
    assert compared(own("9789101000011"), own("978-91-0-100001-1")).sharing == "invalid"
    assert compared(own((A, "e-bok")), own((A, "e-bok"))).sharing == "other_carrier"


def test_no_shared_number_speaks_against_only_where_both_have_one() -> None:
    assert compared(own(A), own(B)).points == -0.75
    assert compared(own(A), own()).points == 0.0
    assert compared(own(A), own("9789101000011")).points == 0.0


def test_the_number_of_a_set_is_ignored_beside_volume_numbers() -> None:
    volumes = compared(own(A, (C, "set")), own(B, (C, "set")))
    assert (volumes.sharing, volumes.points, volumes.explanation) == ("set", -0.75, "set_isbn")
    whole = compared(own((C, "set")), own(B, (C, "set")))
    assert (whole.points, whole.is_explained) == (0.0, True)


def test_a_set_number_alone_is_weak() -> None:
    for other in (own((C, "komplett")), own(C)):
        found = compared(own((C, "hela verket")), other)
        assert (found.sharing, found.points, found.is_explained) == ("set", 0.5, False)


def test_a_number_that_776_gives_away_is_explained() -> None:
    e_book = own(B, carrier="online", cancelled=(A,), related=A)
    found = compared(own(A), e_book)
    assert (found.sharing, found.explanation) == ("az", "related")


def test_stop_numbers_of_the_register_are_no_numbers() -> None:
    policy = MatchingPolicy(stop_isbns=(D,))
    assert compare_isbns(own(D), own(D), policy).sharing == "none"
    assert compare_isbns(own((D, "set")), own((D, "set")), policy).sharing == "none"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (own(A, B), own(A)),
        (own(A), own(B, cancelled=(A,))),
        (own((C, "set")), own(B, (C, "set"))),
        (own((A, "e-bok")), own(A)),
        (own(A), own(B)),
    ],
)
def test_what_is_shared_is_mutual(one: OwnNumbers, other: OwnNumbers) -> None:
    assert compared(one, other) == compared(other, one)
