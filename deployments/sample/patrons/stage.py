"""Where the fortnight is put together: who stands in which file on which day, what spoils a file, what staff do.

A scene (deployments/sample/patrons/scenes) hires persons whom no other scene has, lets something happen to them from a
day on or in one night alone, and says what must become of it. What a file holds depends on the seed and the day, so
any day can be asked for by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

from deployments.sample.patrons.people import ORIGINS, Person, SourceCode, draw_person, primary_id

FIRST_DAY = date(2025, 3, 3)
"""A Monday."""
DAYS = tuple(FIRST_DAY + timedelta(days=number) for number in range(14))
"""The business dates of the fortnight; the sample night of the suppliers, 14 March, is its second Friday."""

Change: TypeAlias = Callable[[Person], Person]
Spoil: TypeAlias = Callable[[list[bytes]], list[bytes]]
"""What happens to a file: to its members, or to its one content."""
EditKind: TypeAlias = Literal["set", "clear", "add", "remove", "open"]


@dataclass(frozen=True)
class Sizes:
    """Persons of each source on the first day."""

    norupers: int = 460
    sjukhus: int = 60
    veststud: int = 300
    fjorkomm: int = 150

    def of(self, source: SourceCode) -> int:
        """Persons of that source."""
        return {
            "NORUPERS": self.norupers,
            "SJUKHUS": self.sjukhus,
            "VESTSTUD": self.veststud,
            "FJORKOMM": self.fjorkomm,
        }[source]


class SceneNote(NamedTuple):
    """What a scene does on a day, and what must become of it."""

    on: date
    scene: str
    """Name of its function."""
    source: str
    """Code of the source; empty where staff act."""
    outcome: str
    """One word of the code's own: a rule, an event, a finding, a class of change (docs/sample-consortium.md)."""
    persons: tuple[str, ...]
    """Primary ids; none where it is about a whole file."""
    shows: str


class StaffEdit(NamedTuple):
    """What staff did to one value of a person.

    At NORU and VEST in the library system, so that the read-back of that day shows it first; at FJOR in the warehouse,
    by `patrons edit`, after that day's file.
    """

    on: date
    institution: str
    primary_id: str
    kind: EditKind
    """`set` and `clear` a single value; `add` and `remove` an item of a list; `open` a new account at the desk."""
    path: str
    value: str | None
    by: str
    shows: str
    item_type: str = ""


class StaffProtection(NamedTuple):
    """A protection that staff set by `patrons protect`, after that day's file."""

    on: date
    institution: str
    primary_id: str
    path: str
    value: str | None
    """What is to stand; None: nothing (`--null`)."""
    by: str
    reason: str
    shows: str
    until: date | None = None


@dataclass
class Night:
    """What is out of the ordinary about one file."""

    spoil: Spoil | None = None
    has_lost_persons: bool = False
    """How many can still be read is nobody's promise."""
    repeats: date | None = None
    """The night whose bytes it has."""
    findings: tuple[str, ...] = ()
    """Of the checks of a file; any holds it."""
    held_classes: tuple[str, ...] = ()
    """Of the plan; the others go on."""
    rejected: tuple[str, ...] = ()
    """Rules of rows that cannot be taken, in the order of the file."""


@dataclass
class _Life:
    """What happens to one person: changes from a day on, changes of one night, days out of the file."""

    changes: list[tuple[date, Mapping[str, Any]]] = field(default_factory=list)
    nights: dict[date, Mapping[str, Any]] = field(default_factory=dict)
    away: list[tuple[date, date | None]] = field(default_factory=list)

    def is_away(self, on: date) -> bool:
        return any(since <= on and (until is None or on <= until) for since, until in self.away)


class Stage:
    """Collects what the scenes do. `scene` is the one that plays now."""

    def __init__(self, seed: int, sizes: Sizes) -> None:
        self.seed = seed
        self.sizes = sizes
        self.scene = ""
        self.notes: list[SceneNote] = []
        self.edits: list[StaffEdit] = []
        self.protections: list[StaffProtection] = []
        self._lives: dict[tuple[SourceCode, int], _Life] = {}
        self._hired: dict[SourceCode, int] = {}
        self._ordinary: dict[SourceCode, int] = {}
        self._joined: dict[SourceCode, int] = {}
        self._nights: dict[tuple[SourceCode, date], Night] = {}
        self._everybody: dict[tuple[SourceCode, date], Change] = {}

    def hire(self, source: SourceCode, **facts: Any) -> int:
        """The number of a person whom no other scene has; `facts` hold from the first day.

        Raises `ValueError` where the source is too small for the scenes.
        """
        number = self._hired.get(source, 0) + 1
        if number + self._ordinary.get(source, 0) > self.sizes.of(source):
            raise ValueError(f"{source} needs more persons for the scenes than {self.sizes.of(source)}")
        self._hired[source] = number
        self.change(source, number, FIRST_DAY, **facts)
        return number

    def ordinary(self, source: SourceCode) -> int:
        """The number of a person of the crowd whom nothing has happened to yet, from the end of the roll."""
        taken = self._ordinary.get(source, 0)
        if taken + self._hired.get(source, 0) >= self.sizes.of(source):
            raise ValueError(f"{source} needs more persons for the scenes than {self.sizes.of(source)}")
        self._ordinary[source] = taken + 1
        return self.sizes.of(source) - taken

    def newcomer(self, source: SourceCode, since: date, **facts: Any) -> int:
        """The number of a person who is in the files from `since` on."""
        self._joined[source] = self._joined.get(source, 0) + 1
        number = self.sizes.of(source) + self._joined[source]
        self.change(source, number, FIRST_DAY, **facts)
        if since > FIRST_DAY:
            self.away(source, number, FIRST_DAY, since - timedelta(days=1))
        return number

    def change(self, source: SourceCode, number: int, since: date, **facts: Any) -> None:
        """Fields of a person that are so from a day on."""
        self._life(source, number).changes.append((since, facts))

    def one_night(self, source: SourceCode, number: int, on: date, **facts: Any) -> None:
        """Fields of a person that are so in one night's file alone."""
        self._life(source, number).nights[on] = facts

    def away(self, source: SourceCode, number: int, since: date, until: date | None = None) -> None:
        """Days, the last one inclusive, on which the person is not in the file."""
        self._life(source, number).away.append((since, until))

    def everybody(self, source: SourceCode, on: date, change: Change) -> None:
        """A change of each person in one night's file alone."""
        self._everybody[source, on] = change

    def night(self, source: SourceCode, on: date) -> Night:
        """What is out of the ordinary about a file; to be filled in by a scene."""
        return self._nights.setdefault((source, on), Night())

    def reject(self, source: SourceCode, on: date, rule: str) -> None:
        """Expect one more row that cannot be taken."""
        night = self.night(source, on)
        night.rejected = (*night.rejected, rule)

    def tell(
        self, on: date, source: SourceCode, outcome: str, shows: str, *numbers: int, known_as: SourceCode | None = None
    ) -> None:
        """Note what must become of the scene on that day; `numbers` are the persons that it is about.

        They are those of the source `known_as` where the library knows them by that one.
        """
        ids = tuple(self.primary_id(known_as or source, each, on) for each in numbers)
        self.notes.append(SceneNote(on, self.scene, source, outcome, ids, shows))

    def heard_on(self, source: SourceCode, on: date) -> date | None:
        """The first night from `on` on whose file is there and not held; None: there is none any more."""
        for day in DAYS:
            if day >= on and ORIGINS[source].delivers_on(day) and not self.night(source, day).findings:
                return day
        return None

    def edit(
        self, source: SourceCode, number: int, on: date, kind: EditKind, path: str, value: str | None, shows: str
    ) -> None:
        """Staff edit a single value of a person, or add or remove an item: `path` may be `emails[work]`."""
        name, _, item_type = path.removesuffix("]").partition("[")
        where, who = ORIGINS[source].institution, self.primary_id(source, number, on)
        self.edits.append(StaffEdit(on, where, who, kind, name, value, f"desk {where}", shows, item_type))
        self.notes.append(SceneNote(on, self.scene, "", "edited", (who,), shows))

    def protect(
        self, source: SourceCode, number: int, on: date, path: str, value: str | None, reason: str, shows: str
    ) -> None:
        """Staff protect a value of a person."""
        where, who = ORIGINS[source].institution, self.primary_id(source, number, on)
        self.protections.append(StaffProtection(on, where, who, path, value, f"desk {where}", reason, shows))
        self.notes.append(SceneNote(on, self.scene, "", "protected", (who,), shows))

    def primary_id(self, source: SourceCode, number: int, on: date) -> str:
        """The primary id of a person as of that day."""
        return primary_id(source, self.person(source, number, on))

    def person(self, source: SourceCode, number: int, on: date) -> Person:
        """A person as of that day, whether or not in the file."""
        person = _drawn(self.seed, source, number)
        life = self._lives.get((source, number))
        if life is None:
            return person
        for since, facts in sorted(life.changes, key=lambda each: each[0]):
            if since <= on and facts:
                person = replace(person, **facts)
        return replace(person, **life.nights[on]) if on in life.nights else person

    def persons(self, source: SourceCode, on: date) -> list[Person]:
        """Who is in the file of that day, as the file has them."""
        numbers = range(1, self.sizes.of(source) + self._joined.get(source, 0) + 1)
        there = [self.person(source, number, on) for number in numbers if not self._is_away(source, number, on)]
        change = self._everybody.get((source, on))
        return [change(each) for each in there] if change else there

    def _is_away(self, source: SourceCode, number: int, on: date) -> bool:
        life = self._lives.get((source, number))
        return life is not None and life.is_away(on)

    def _life(self, source: SourceCode, number: int) -> _Life:
        return self._lives.setdefault((source, number), _Life())


@lru_cache(maxsize=4096)
def _drawn(seed: int, source: SourceCode, number: int) -> Person:
    return draw_person(seed, source, number)
