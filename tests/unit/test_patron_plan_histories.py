"""Property tests of a person's plan over random histories: two sources, staff, protection, absence, held classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas.patrons import PREFERRED_LISTS, IncomingPerson, ListItem, Value
from schemas.register.patron_policy import PatronPolicy
from tasks.patrons.items import STAFF
from tasks.patrons.occasion import Occasion, PlannedPerson
from tasks.patrons.person_plan import (
    plan_absent,
    plan_due,
    plan_edit,
    plan_left,
    plan_person,
    plan_read_back,
    plan_source_dropped,
)
from tasks.patrons.pinning import plan_protect, plan_release
from tasks.patrons.records import PersonRecord
from tests.unit.patron_persons import DAY, item, row
from tests.unit.patron_persons import occasion as occasion_of

POLICY = PatronPolicy.model_validate(
    {
        "paths": {
            "user_title": {"mode": "local_if_edited", "may_clear": True},
            "preferred_language": {"mode": "local_if_edited", "on_conflict": "take"},
        }
    }
)
CODES = ("NORUPERS", "NORUSTUD")
SCALARS = ("last_name", "user_title", "preferred_language", "gender", "is_confidential")
TEXTS = st.sampled_from(["a", "b", "c"])
ITEMS = st.sets(st.tuples(st.sampled_from(["x", "y", "z"]), st.booleans()), max_size=3)
LISTS = ("emails", "phones")
HELD = st.sets(st.sampled_from(["group_change", "clear", "shorten", "expire", "deactivate"]), max_size=2)


def items(path: str, chosen: set[tuple[str, bool]]) -> tuple[ListItem, ...]:
    found = {name: item(path, f"{name}1", preferred=is_preferred) for name, is_preferred in sorted(chosen)}
    return tuple(found[name] for name in sorted(found))


@st.composite
def rows(draw: st.DrawFn) -> IncomingPerson:
    values: dict[str, Value | None] = {}
    for path in draw(st.sets(st.sampled_from(SCALARS), max_size=4)):
        values[path] = draw(st.booleans() if path == "is_confidential" else st.none() | TEXTS)
    lists = {path: items(path, draw(ITEMS)) for path in draw(st.sets(st.sampled_from(LISTS), max_size=2))}
    until = draw(st.none() | st.dates(date(2025, 3, 1), date(2026, 12, 31)))
    return row(values, lists, category=draw(st.sampled_from(["student", "staff"])), valid_to=until)


def on(code: str | None, day: date, policy: PatronPolicy = POLICY) -> Occasion:
    return occasion_of(code, day, policy)


def meaning(person: PersonRecord) -> Mapping[str, object]:
    """What a person is, whichever way it came about."""
    return {
        "current": {path: value for path, value in person.current.items() if value is not None},
        "lists": {
            path: {(each.item_key, each.owners, each.is_preferred) for each in found}
            for path, found in person.lists.items()
            if found
        },
        "standing": (person.standing.state, person.standing.expires_on),
        "locks": {(each.path, each.item_key, each.kind) for each in person.locks if each.released_by is None},
    }


class Histories(RuleBasedStateMachine):
    """Nights of two sources over one person whose staff edit and protect."""

    @initialize(incoming=rows())
    def made(self, incoming: IncomingPerson) -> None:
        self.day = DAY
        self.pins: dict[str, object] = {}
        self.last: dict[str, IncomingPerson] = {CODES[0]: incoming}
        self.person = self._stored(plan_person(None, incoming, on(CODES[0], DAY)))

    def _stored(self, plan: PlannedPerson) -> PersonRecord:
        after = plan.after
        assert after is not None
        if plan.before is not None:
            assert plan.makes_version == (after.version == plan.before.version + 1)
        number = len(after.locks)
        locks = [each for each in after.locks if each.released_by is None]
        kept = tuple(
            each if each.lock_id else replace(each, lock_id=1000 * after.version + number + place)
            for place, each in enumerate(locks)
        )
        return replace(after, person_id=7, locks=kept)

    def _speaks(self, code: str, incoming: IncomingPerson) -> None:
        night = on(code, self.day)
        self.person = self._stored(plan_person(self.person, incoming, night))
        self.last[code] = incoming
        again = plan_person(self.person, incoming, night)
        assert again.is_quiet, again.changes

    @rule(code=st.sampled_from(CODES), incoming=rows())
    def a_source_speaks(self, code: str, incoming: IncomingPerson) -> None:
        self._speaks(code, incoming)

    @rule(code=st.sampled_from(CODES))
    def a_source_repeats_itself_later(self, code: str) -> None:
        self.day += timedelta(1)
        if code in self.last and code in self.person.sources:
            self._speaks(code, self.last[code])

    @rule(code=st.sampled_from(CODES), incoming=rows(), held=HELD)
    def what_is_held_is_planned_anew(self, code: str, incoming: IncomingPerson, held: set[str]) -> None:
        night = on(code, self.day)
        free = plan_person(self.person, incoming, night)
        waits = plan_person(self.person, incoming, night, frozenset(held))  # type: ignore[arg-type]
        assert not {each.change_class for each in waits.changes if each.decision == "applied"} & held
        assert waits.held <= free.classes & held
        assert bool(waits.held) == bool(free.classes & held)
        self.person = self._stored(waits)
        self.last[code] = incoming
        if waits.held:
            assert all(each.needs_merge for each in self.person.sources.values())
            let_through = plan_person(self.person, incoming, night)
            assert let_through.classes >= waits.held
            assert let_through.after is not None
            assert free.after is not None
            assert meaning(let_through.after) == meaning(free.after)
            self.person = self._stored(let_through)

    @rule(path=st.sampled_from(SCALARS[:4]), value=st.none() | TEXTS)
    def staff_edit(self, path: str, value: Value | None) -> None:
        if path not in self.pins:
            self.person = self._stored(plan_edit(self.person, path, value, "siv", on(None, self.day)))
            assert plan_edit(self.person, path, value, "siv", on(None, self.day)).is_quiet

    @rule(path=st.sampled_from(LISTS), chosen=ITEMS)
    def staff_edit_a_list(self, path: str, chosen: set[tuple[str, bool]]) -> None:
        if path not in self.pins:
            self.person = self._stored(plan_edit(self.person, path, items(path, chosen), "siv", on(None, self.day)))

    @rule(path=st.sampled_from(SCALARS[:4]), value=st.none() | TEXTS, number=st.integers(0, 99))
    def a_read_back_differs(self, path: str, value: Value | None, number: int) -> None:
        values = {**self.person.current, path: value}
        lists = {each: self.person.items(each) for each in self.person.lists.keys() | self.person.current_lists}
        content_hash = f"{number:016}".encode()
        plan = plan_read_back(self.person, values, lists, content_hash, on(None, self.day))
        assert {each.path for each in plan.changes} <= {path}
        self.person = self._stored(plan)
        assert plan_read_back(self.person, values, lists, content_hash, on(None, self.day)).is_quiet

    @rule(path=st.sampled_from([*SCALARS[:4], *LISTS]))
    def pin(self, path: str) -> None:
        night = on(None, self.day)
        self.person = self._stored(plan_protect(self.person, path, night, by="siv", reason="asked for it"))
        self.pins[path] = self._there(path)

    @rule(path=st.sampled_from([*SCALARS[:4], *LISTS]))
    def release(self, path: str) -> None:
        self.person = self._stored(plan_release(self.person, path, on(None, self.day), by="siv"))
        self.pins.pop(path, None)

    @rule(code=st.sampled_from(CODES), days=st.integers(1, 40))
    def a_file_lacks_the_person(self, code: str, days: int) -> None:
        self.day += timedelta(days)
        before = self.person.standing
        plan = plan_absent(self.person, on(code, self.day))
        assert "shorten" not in plan.classes or any(
            each.sighting.left_on is not None or each.explicit is not None for each in self.person.sources.values()
        )
        if all(each.explicit is None and each.sighting.left_on is None for each in self.person.sources.values()):
            assert plan.after is not None
            assert (plan.after.standing.expires_on or date.max) >= (before.expires_on or date.min)
        self.person = self._stored(plan)
        assert plan_absent(self.person, on(code, self.day)).is_quiet

    @rule(days=st.integers(0, 400))
    def time_goes_by(self, days: int) -> None:
        self.day += timedelta(days)
        self.person = self._stored(plan_due(self.person, on(None, self.day)))
        again = plan_due(self.person, on(None, self.day))
        assert again.is_quiet, again.changes
        assert self.person.look_on is None or self.person.look_on > self.day

    @rule(code=st.sampled_from(CODES))
    def who_has_left(self, code: str) -> None:
        self.person = self._stored(plan_left(self.person, on(code, self.day)))
        assert plan_left(self.person, on(code, self.day)).is_quiet

    @precondition(lambda self: len(self.person.sources) == 2)
    @rule(code=st.sampled_from(CODES))
    def a_source_is_dropped(self, code: str) -> None:
        # What staff did is looked at first: so that only the dropping is judged.
        self.person = self._stored(plan_due(self.person, on(None, self.day)))
        before = self.person
        self.person = self._stored(plan_source_dropped(before, code, on(None, self.day)))
        for path, found in before.lists.items():
            others = {each.item_key: each.owners - {code} for each in found if each.owners != {code}}
            after = {each.item_key: each.owners for each in self.person.lists.get(path, ())}
            assert others == {key: owners for key, owners in after.items() if key in others}
            if path not in self.pins:
                assert others.keys() == after.keys()
        for path, value in before.current.items():
            if path not in before.sources[code].values:
                assert self.person.current[path] == value
        assert plan_source_dropped(self.person, code, on(None, self.day)).is_quiet

    def _there(self, path: str) -> object:
        if path in LISTS:
            return {(each.type, each.key) for each in self.person.items(path)}
        return self.person.current.get(path)

    @invariant()
    def pinned_values_stand_once_anybody_has_spoken(self) -> None:
        if not hasattr(self, "person"):
            return
        checked = plan_due(self.person, on(None, self.day)).after
        assert checked is not None
        for path, held in self.pins.items():
            if path in LISTS:
                keys = {(each.type, each.key) for each in checked.items(path)}
                assert keys == held
            elif any(path in each.values for each in self.person.sources.values()):
                assert checked.current.get(path) == held

    @invariant()
    def one_is_preferred(self) -> None:
        for path, found in (getattr(self, "person", None) and self.person.lists.items()) or ():
            marked = [each for each in found if each.is_preferred]
            assert len(marked) == (1 if found and path in PREFERRED_LISTS else 0)
            assert len({each.item_key for each in found}) == len(found)
            assert all(each.owners <= {*CODES, STAFF} and each.owners for each in found)


Histories.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestHistories = Histories.TestCase


@given(st.lists(st.tuples(rows(), rows()), min_size=1, max_size=3), rows(), rows(), st.sets(st.sampled_from(SCALARS)))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_sources_in_a_night_decides_nothing(
    nights: list[tuple[IncomingPerson, IncomingPerson]], first: IncomingPerson, second: IncomingPerson, pins: set[str]
) -> None:
    start = plan_person(None, first, on(CODES[0], DAY)).after
    assert start is not None
    start = plan_person(start, second, on(CODES[1], DAY)).after
    for path in sorted(pins):
        assert start is not None
        start = plan_protect(start, path, on(None, DAY), by="siv", reason="").after
    ways = []
    for order in ((0, 1), (1, 0)):
        person = start
        for number, both in enumerate(nights, start=1):
            for which in order:
                assert person is not None
                person = plan_person(person, both[which], on(CODES[which], DAY + timedelta(number))).after
        assert person is not None
        ways.append(meaning(person))
    assert ways[0] == ways[1]


def test_of_two_sources_that_both_lose_a_name_neither_order_brings_the_other_name_back() -> None:
    def said(**values: Value | None) -> IncomingPerson:
        return row(dict(values), {}, category="student", valid_to=None)

    ends = []
    for order in ((0, 1), (1, 0)):
        person = plan_person(None, said(), on(CODES[0], DAY)).after
        for number, both in enumerate(((said(last_name="b"), said(last_name="a")), (said(last_name=None),) * 2), 1):
            for which in order:
                person = plan_person(person, both[which], on(CODES[which], DAY + timedelta(number))).after
        assert person is not None
        ends.append(person.current["last_name"])
        assert {code: each.values["last_name"].value for code, each in person.sources.items()} == {
            CODES[0]: "b", CODES[1]: "a",
        }  # fmt: skip
    assert ends == ["b", "b"]
