"""The JSON of persons: what is written and read again is the same, with absent, null and value kept apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.patrons import (
    ABSENT,
    ITEM_FIELDS,
    PATHS,
    SCALAR_PATHS,
    Affiliation,
    Identifier,
    IncomingPerson,
    ListItem,
    Position,
    ProtectionOrder,
)
from tasks.patrons.documents import (
    baseline_from_json,
    baseline_to_json,
    change_value_to_json,
    changes_to_json,
    document_of,
    document_parts,
    held_from_json,
    held_to_json,
    incoming_from_json,
    incoming_to_json,
    protected_to_json,
    said_of,
    said_parts,
)
from tasks.patrons.images import from_image, image_of
from tasks.patrons.items import HeldItem
from tasks.patrons.lifecycle import Sighting, Standing
from tasks.patrons.occasion import Change
from tasks.patrons.records import IdentifierRow, LockRow, PersonRecord, SaidValue, SourceRecord

DAY = date(2025, 3, 14)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
DATE = st.dates(date(1900, 1, 1), date(2100, 1, 1))
MAYBE_DATE = st.none() | DATE
OF_TYPE = {"text": TEXT, "code": TEXT, "day": DATE, "flag": st.booleans()}
PATH = st.sampled_from(sorted(SCALAR_PATHS))
LIST = st.sampled_from(sorted(ITEM_FIELDS))


@st.composite
def values(draw: st.DrawFn) -> dict[str, object]:
    paths = draw(st.sets(PATH, max_size=6))
    return {path: draw(st.none() | OF_TYPE[PATHS[path].value_type]) for path in sorted(paths)}


FIELDS = st.dictionaries(st.sampled_from(["value", "note", "line1"]), TEXT, max_size=2)
ITEM = st.builds(ListItem, TEXT, TEXT, FIELDS, st.booleans(), st.sampled_from(["external", "internal"]))
ITEMS = st.lists(ITEM, max_size=2).map(tuple)
CODES = st.frozensets(st.sampled_from(["", "A", "B"]), max_size=2)
HELD = st.builds(HeldItem, TEXT, TEXT, FIELDS, CODES, DATE, CODES, st.booleans(), TEXT)
IDENTIFIER = st.builds(Identifier, TEXT, TEXT, TEXT, st.sampled_from(["ACTIVE", "INACTIVE"]), MAYBE_DATE, MAYBE_DATE)
IDENTIFIERS = st.lists(IDENTIFIER, max_size=2).map(tuple)
ORDER = st.builds(ProtectionOrder, st.sampled_from(["protect", "release"]), PATH, st.none() | TEXT, TEXT, MAYBE_DATE)
TIE = st.builds(Affiliation, TEXT, *(st.none() | TEXT for _ in range(4)), MAYBE_DATE, MAYBE_DATE)
INCOMING = st.builds(
    IncomingPerson,
    st.builds(Position, st.integers(1, 9), st.none() | st.integers(1, 9), st.none() | st.integers(0, 9), TEXT),
    st.binary(min_size=16, max_size=16),
    IDENTIFIERS,
    IDENTIFIERS,
    IDENTIFIERS,
    values(),
    st.dictionaries(LIST, ITEMS, max_size=3),
    st.lists(ORDER, max_size=2).map(tuple),
    st.lists(TIE, max_size=1).map(tuple),
)


@st.composite
def sources(draw: st.DrawFn) -> SourceRecord:
    lists = draw(st.dictionaries(LIST, ITEMS, max_size=2))
    said = {path: SaidValue(value, draw(DATE)) for path, value in draw(values()).items()}  # type: ignore[arg-type]
    days = {path: tuple(draw(DATE) for _ in items) for path, items in lists.items()}
    return SourceRecord(  # type: ignore[misc]
        "A",
        "NORU",
        draw(st.binary(max_size=16)),
        draw(TEXT),
        draw(st.booleans()),
        draw(st.integers(0, 2**40)),
        said,
        lists,
        days,
        *draw(st.tuples(*[st.none() | TEXT.filter(bool)] * 4)),
        *draw(st.tuples(*[MAYBE_DATE] * 3)),
        sighting=draw(st.builds(Sighting, st.just("A"), MAYBE_DATE, st.integers(0, 3), *[MAYBE_DATE] * 3)),
    )


@st.composite
def locks(draw: st.DrawFn) -> LockRow:
    common = {"by": draw(TEXT), "reason": draw(TEXT), "until": draw(MAYBE_DATE), "lock_id": draw(st.integers(1, 9))}
    if draw(st.booleans()):
        path = draw(PATH)
        value = st.none() | OF_TYPE[PATHS[path].value_type]
        return LockRow(path, "pin", draw(value), draw(st.just(ABSENT) | value), **common)  # type: ignore[arg-type]
    baseline = draw(st.just(ABSENT) | st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple))
    key = draw(TEXT)
    held = draw(st.none() | HELD) if key else draw(st.lists(HELD, max_size=2).map(tuple))
    return LockRow(draw(LIST), "pin", held, baseline, **common, item_type=draw(TEXT), item_key=key)  # type: ignore[arg-type]


@st.composite
def persons(draw: st.DrawFn) -> PersonRecord:
    written = draw(values())
    current = written if draw(st.booleans()) else draw(values())
    states = st.sampled_from(["active", "missing", "erasable"])
    return PersonRecord(
        7,
        "NORU",
        draw(TEXT),
        "EXTERNAL",
        draw(st.builds(Standing, states, DATE, *[MAYBE_DATE] * 4)),
        draw(TEXT),
        written,  # type: ignore[arg-type]
        current,  # type: ignore[arg-type]
        draw(st.dictionaries(LIST, st.lists(HELD, min_size=1, max_size=2).map(tuple), max_size=2)),
        draw(st.dictionaries(LIST, ITEMS, max_size=2)),
        draw(st.just({}) | sources().map(lambda each: {"A": each})),
        tuple(draw(st.lists(st.builds(IdentifierRow, TEXT, TEXT, TEXT, TEXT, MAYBE_DATE, MAYBE_DATE), max_size=2))),
        tuple(draw(st.lists(locks(), max_size=2))),
        3,
        draw(st.booleans()),
        draw(st.booleans()),
        draw(MAYBE_DATE),
        draw(st.none() | st.binary(min_size=16, max_size=16)),
        draw(st.integers(0, 3)),
        draw(st.integers(0, 3)),
        draw(st.none() | st.integers(1, 9)),
        {path: (value,) for path, value in draw(values()).items()},  # type: ignore[misc]
        draw(st.dictionaries(LIST, st.lists(ITEMS, min_size=1, max_size=2).map(tuple), max_size=1)),
    )


@given(INCOMING)
@settings(max_examples=60)
def test_a_person_of_a_source_is_the_same_after_being_written(person: IncomingPerson) -> None:
    again = incoming_from_json(incoming_to_json(person))
    assert again == person
    for path, value in person.values.items():
        assert type(again.values[path]) is type(value)


@given(persons())
@settings(max_examples=50)
def test_a_person_comes_back_from_an_image_as_they_were(person: PersonRecord) -> None:
    assert from_image(7, 3, image_of(person)) == person


@given(persons())
@settings(max_examples=25)
def test_a_document_holds_what_was_written_and_what_is_there(person: PersonRecord) -> None:
    parts = document_parts(document_of(person))
    assert replace(person, **parts) == person
    assert parts["current"].keys() == person.current.keys()


@given(sources())
@settings(max_examples=25)
def test_what_a_source_says_comes_back_with_its_days(source: SourceRecord) -> None:
    assert replace(source, **said_parts(said_of(source))) == source


@given(locks())
@settings(max_examples=60)
def test_a_lock_holds_what_it_held(lock: LockRow) -> None:
    assert held_from_json(lock.path, lock.item_key, held_to_json(lock)) == lock.held
    assert baseline_from_json(lock.path, baseline_to_json(lock.baseline)) == lock.baseline


def test_what_is_the_same_is_written_once() -> None:
    person = PersonRecord(1, "NORU", "a1", "EXTERNAL", Standing("active", DAY), written={"last_name": "Lie"})
    same = replace(person, current=person.written)
    assert document_of(same) == '{"written":{"last_name":"Lie"},"lists":{}}'
    cleared = replace(person, current={})
    assert document_parts(document_of(cleared))["current"] == {}


def test_a_change_tells_not_there_from_null() -> None:
    assert change_value_to_json(ABSENT) is None
    assert change_value_to_json(None) == "null"
    assert (
        change_value_to_json(ListItem("work", "k", {"value": "K"}, True))
        == '{"type":"work","value":"K","preferred":true}'
    )
    text = changes_to_json([Change("last_name", old=None, new="Lie", rule="source_wins")])
    assert '"old":null,"new":"Lie"' in text
    assert '"old"' not in changes_to_json([Change("last_name", new="Lie")])


def test_protected_are_the_paths_that_somebody_pinned() -> None:
    rows = [
        LockRow("emails", "pin", (), ABSENT, "siv"),
        LockRow("user_title", "automatic", "dr", ABSENT, "merge"),
        LockRow("gender", "pin", None, ABSENT, "siv", until=date(2025, 3, 13)),
    ]
    assert protected_to_json(rows, DAY) == '["emails"]'
