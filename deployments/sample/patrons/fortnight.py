"""Two weeks of patron files at three institutions, each day with what it shows and what must become of it.

docs/sample-consortium.md lists the scenes. Any day can be written by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, TypeAlias

from deployments.sample.patrons.formats import MANIFEST, manifest, members, packed
from deployments.sample.patrons.people import ORIGINS, SourceCode
from deployments.sample.patrons.scenes import composed
from deployments.sample.patrons.stage import DAYS, SceneNote, Sizes, StaffEdit, StaffProtection, Stage
from deployments.sample.patrons.stock import initial_stock

FileOutcome: TypeAlias = Literal["applied", "held_in_part", "held"]
TARGETS = {"NORU": "NORUALMA", "VEST": "VESTALMA"}
"""Institution with a library system of its own, where staff edit: the code of that system in the register."""


@dataclass(frozen=True)
class PatronFile:
    """One file of one night."""

    source: str
    institution: str
    path: Path
    manifest: Path | None
    persons: int | None
    """That can be read; None where the file is held and nobody should count them."""
    rejected: tuple[str, ...]
    """Rules of the rows that cannot be taken, in their order."""
    outcome: FileOutcome
    findings: tuple[str, ...]
    """Of the checks of a file, those that must be among the findings; the first one is what it is there for."""
    held_classes: tuple[str, ...]
    """Classes of change that the plan's guards must hold, beside the creates of a first load."""


@dataclass(frozen=True)
class PatronDay:
    """One business date."""

    on: date
    files: tuple[PatronFile, ...]
    """In the order of their sources' precedence over the institutions."""
    scenes: tuple[SceneNote, ...]
    stocks: dict[str, Path]
    """Institution: what its library system held before the first night (Alma's user XML), where `read_back_path` says;
    only on the first day that is written."""
    edits: tuple[StaffEdit, ...]
    """At NORU and VEST for this day's read-back, at FJOR for `patrons edit` after this day's file."""
    protections: tuple[StaffProtection, ...]
    """For `patrons protect` after this day's files."""

    def edits_at(self, institution: str) -> tuple[StaffEdit, ...]:
        """The edits of one institution."""
        return tuple(each for each in self.edits if each.institution == institution)


def patron_fortnight(
    directory: Path, days: Sequence[date] = DAYS, seed: int = 1, sizes: Sizes | None = None
) -> list[PatronDay]:
    """Write `directory`/YYYY-MM-DD/SOURCE/file for each of `days`, and return what each day is about, in their order.

    The first of them gets the stock of the library systems as well, where `read_back_path` says; later read-backs
    depend on what Samkat sent: `read_back_export` makes them. Raises `ValueError` for a day outside
    the fortnight, or for sizes too small for the scenes.
    """
    outside = [each for each in days if each not in DAYS]
    if outside:
        raise ValueError(f"{outside[0]} is not between {DAYS[0]} and {DAYS[-1]}")
    stage = composed(seed, sizes or Sizes())
    return [_day(stage, directory / on.isoformat(), on, is_first=not place) for place, on in enumerate(days)]


def read_back_path(directory: Path, institution: str, on: date) -> Path:
    """Where an export of a library system's users belongs: `directory`/YYYY-MM-DD/TARGET/INSTITUTION_YYYYMMDD.xml."""
    return directory / on.isoformat() / TARGETS[institution] / f"{institution}_{on:%Y%m%d}.xml"


def _day(stage: Stage, folder: Path, on: date, *, is_first: bool) -> PatronDay:
    stocks = {}
    if is_first:
        for institution in TARGETS:
            path = read_back_path(folder.parent, institution, on)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(initial_stock(stage, institution))
            stocks[institution] = path
    return PatronDay(
        on,
        tuple(_file(stage, folder, code, on) for code, origin in ORIGINS.items() if origin.delivers_on(on)),
        tuple(each for each in stage.notes if each.on == on),
        stocks,
        tuple(each for each in stage.edits if each.on == on),
        tuple(each for each in stage.protections if each.on == on),
    )


def _file(stage: Stage, folder: Path, source: SourceCode, on: date) -> PatronFile:
    night = stage.night(source, on)
    path = folder / source / ORIGINS[source].file_name(on)
    path.parent.mkdir(parents=True, exist_ok=True)
    persons = len(stage.persons(source, night.repeats or on))
    content = _content(stage, source, night.repeats or on)
    path.write_bytes(content)
    beside = None
    if source == "VESTSTUD":
        beside = path.with_name(path.name + MANIFEST)
        beside.write_bytes(manifest(_whole(stage, source, on) if night.has_lost_persons else content, persons))
    outcome: FileOutcome = "held" if night.findings else "held_in_part" if night.held_classes else "applied"
    return PatronFile(
        source,
        ORIGINS[source].institution,
        path,
        beside,
        None if night.has_lost_persons else persons - len(night.rejected),
        () if night.has_lost_persons else night.rejected,
        outcome,
        night.findings,
        night.held_classes,
    )


def _content(stage: Stage, source: SourceCode, on: date) -> bytes:
    """The file of that night, with whatever happened to it."""
    found = members(source, stage.persons(source, on))
    spoil = stage.night(source, on).spoil
    return packed(source, spoil(found) if spoil else found, on)


def _whole(stage: Stage, source: SourceCode, on: date) -> bytes:
    """The file as it was before anything happened to it: what the manifest is about."""
    return packed(source, members(source, stage.persons(source, on)), on)
