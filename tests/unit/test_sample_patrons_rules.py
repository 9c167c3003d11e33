"""What the sample's scenes say must happen is what the pure rules of merge and lifecycle make of its files.

The night's guards are taken as said: what a night holds is left out here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import get_args

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from deployments.sample.patrons import PatronDay, PatronFile, SceneNote, StaffEdit, patron_fortnight
from schemas.patrons import ABSENT, IncomingPerson, Value
from schemas.register.patron_sources import PatronSource
from tasks.patrons.lifecycle import Event, Sighting, Snapshot, Standing, advance, observe
from tasks.patrons.merge import Circumstances, PersonState, Rule, after_merge, decide, merge_person
from tasks.patrons.protection import Lock, rules_in_force
from tasks.patrons.reading import read_persons

pytestmark = pytest.mark.xdist_group("sample-patrons-rules")
"""What the module prepares is prepared by one worker, not by each."""

REGISTER = read_register(SAMPLE_REGISTER)
POLICY = REGISTER.patron_policy
PATH_OF = {
    "name_change": "last_name",
    "student_becomes_employee": "user_group",
    "group_changed_by_hand": "user_group",
    "new_card_without_the_old": "primary_id",
    "protection_order": "pref_first_name",
    "order_is_released": "campus_code",
    "edited_before_samkat": "pref_first_name",
    "preferred_name_corrected": "pref_first_name",
    "legal_name_edited": "last_name",
    "desk_stub": "user_group",
}
"""The path that a scene is about, where staff's edit does not say it."""


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[PatronDay]:
    """The whole fortnight, written."""
    return patron_fortnight(tmp_path_factory.mktemp("fortnight"))


def _read(path: Path, source: PatronSource) -> list[IncomingPerson]:
    with path.open("rb") as stream:
        rows = list(read_persons(stream, path.name, source))
    return [each for each in rows if isinstance(each, IncomingPerson)]


def _nights(days: list[PatronDay], source: str) -> Iterator[tuple[PatronDay, PatronFile, list[IncomingPerson]]]:
    """The nights whose file is used, with its persons."""
    for day in days:
        for file in day.files:
            if file.source == source and file.outcome != "held":
                yield day, file, _read(file.path, REGISTER.patron_source_by_code[source])


def _who(person: IncomingPerson) -> str:
    """An id that no scene changes: the account, or the municipal number."""
    ids = {each.type: each.key for each in (*person.source_ids, *person.search_ids)}
    return ids.get("feide") or ids.get("municipal_no") or ids["primary_id"]


@dataclass
class _Library:
    """What is known of the persons of one source, as far as single values go."""

    institution: str
    source: str
    has_system: bool
    states: dict[str, PersonState] = field(default_factory=dict)
    groups: dict[str, str | None] = field(default_factory=dict)
    who: dict[str, str] = field(default_factory=dict)
    """Primary id at any time: the id that no scene changes."""
    stubs: set[str] = field(default_factory=set)
    rules: dict[tuple[str, str], str] = field(default_factory=dict)
    """(person, path): the rule of the last night."""

    def stocked(self, stock: Path) -> None:
        for person in _read(stock, REGISTER.patron_source_by_code["VESTSTUD"].model_copy(update={"categories": {}})):
            self.who[str(person.value("primary_id"))] = _who(person)
            self.states[_who(person)] = PersonState(current=dict(person.values))

    def edit_all(self, day: PatronDay) -> None:
        for edit in day.edits_at(self.institution):
            self.edit(edit)

    def protect_all(self, day: PatronDay) -> None:
        for each in day.protections:
            if each.institution == self.institution:
                self.lock(self.who[each.primary_id], each.path, each.value, each.until)

    def edit(self, edit: StaffEdit) -> None:
        if edit.kind == "open":
            # The file names the account; until then the card is all that is known.
            self.stubs.add(edit.primary_id)
            return
        if edit.kind in ("set", "clear"):
            state = self.states[self.who[edit.primary_id]]
            value: Value | None = edit.value
            if edit.path == "expiry_date" and edit.value:
                value = date.fromisoformat(edit.value)
            self.states[self.who[edit.primary_id]] = replace(state, current={**state.current, edit.path: value})

    def lock(self, who: str, path: str, held: Value | None, until: date | None) -> None:
        state = self.states[who]
        lock = Lock("pin", held, state.said_before.get(path, ABSENT), "desk", until=until)
        current = {**state.current, path: held}
        self.states[who] = replace(state, locks={**state.locks, path: lock}, current=current)

    def take(self, person: IncomingPerson, file: PatronFile, day: date) -> None:
        who, card = _who(person), str(person.value("primary_id"))
        self.who[card] = who
        is_stub = card in self.stubs
        if is_stub and who not in self.states:
            self.states[who] = PersonState(current={"user_group": "guest", "primary_id": card})
        state = self.states.get(who)
        said = {path: value for path, value in person.values.items() if not self._is_held(path, file)}
        group = said.get("user_group")
        changed = who in self.groups and "user_group" in said and group != self.groups[who]
        now = Circumstances(day, self.source, state is None, is_stub, changed)
        state = state or PersonState()
        in_force = rules_in_force(POLICY, self.institution, str(group))
        for path, value in said.items():
            self.rules[who, path] = decide(path, value, state.of(path), in_force[path], now).rule
        state = after_merge(said, state, merge_person(said, state, in_force, now))
        self.states[who] = state
        if "user_group" in said:
            self.groups[who] = str(group)
        self.stubs.discard(card)
        for order in person.orders:
            if order.action == "protect" and order.item_type is None:
                self.lock(who, order.path, state.current.get(order.path), order.until)
            else:
                locks = {path: lock for path, lock in state.locks.items() if path != order.path}
                self.states[who] = replace(state, locks=locks)

    @staticmethod
    def _is_held(path: str, file: PatronFile) -> bool:
        return path == "user_group" and "group_change" in file.held_classes


@pytest.mark.parametrize(
    ("institution", "source", "told"), [("NORU", "NORUPERS", 9), ("VEST", "VESTSTUD", 8), ("FJOR", "FJORKOMM", 6)]
)
def test_the_merge_does_what_the_scenes_say(days: list[PatronDay], institution: str, source: str, told: int) -> None:
    library = _Library(institution, source, has_system=institution != "FJOR")
    if library.has_system:
        library.stocked(days[0].stocks[institution])
    edited = {each.primary_id: each.path for day in days for each in day.edits if each.institution == institution}
    edited |= {each.primary_id: each.path for day in days for each in day.protections}
    nights = {day.on: (file, persons) for day, file, persons in _nights(days, source)}
    checked = 0
    for day in days:
        if library.has_system:
            library.edit_all(day)
        if day.on in nights:
            file, persons = nights[day.on]
            for person in persons:
                library.take(person, file, day.on)
            for note, one in _told_of_values(day, source):
                path = PATH_OF.get(note.scene) or edited[one]
                assert library.rules[library.who[one], path] == note.outcome, (day.on, note)
                checked += 1
        if not library.has_system:
            library.edit_all(day)
        library.protect_all(day)
    assert checked == told


def _told_of_values(day: PatronDay, source: str) -> list[tuple[SceneNote, str]]:
    """What is said of single values, person by person."""
    return [
        (note, one)
        for note in day.scenes
        if note.source == source and note.outcome in get_args(Rule) and note.scene != "phone_and_note_added"
        for one in note.persons
    ]


def test_the_lifecycle_does_what_the_scenes_say(days: list[PatronDay]) -> None:
    sightings: dict[str, Sighting] = {}
    standings: dict[str, Standing] = {}
    cards: dict[str, str] = {}
    happened: set[tuple[date, str, Event]] = set()
    for day, file, persons in _nights(days, "NORUPERS"):
        snapshot = Snapshot(day.on, True, len(file.rejected))
        there = {_who(person): person for person in persons}
        cards.update({str(person.value("primary_id")): who for who, person in there.items()})
        for who in [*sightings, *(each for each in there if each not in sightings)]:
            sightings[who] = observe(sightings.get(who, Sighting("NORUPERS")), who in there, snapshot)
            standing = standings.get(who, Standing("active", day.on))
            if who in there:
                until = there[who].value("expiry_date")
                standing = standing._replace(expires_on=until if isinstance(until, date) else None)
            standings[who], steps = advance(standing, [sightings[who]], POLICY, day.on)
            happened |= {(day.on, who, step.event) for step in steps}
    expected = {
        (day.on, cards[one], note.outcome)
        for day in days
        for note in day.scenes
        if note.source == "NORUPERS" and note.outcome in get_args(Event)
        for one in note.persons
    }
    assert happened == expected
    assert len(expected) == 3 + 3 + 2 + 2 + 2
