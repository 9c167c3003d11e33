"""May an export of users be used as what the library system holds? Pure checks; any finding holds it.

Half an export would read as "these users are gone", and an old one as "nobody has edited since". The limits are those
of `[patron_target.export]`; what they share with the files of senders is in file_guards.py. No person is known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import orjson

from schemas.errors import DeliveryRejectedError
from schemas.register.patron_sources import PatronSource
from schemas.register.patron_targets import PatronTarget
from tasks.patrons.file_guards import FileFacts, FileRule, Manifest, judge_file

MISSING_AT_LEAST: Final = 10
"""Persons that may always be missing: a library deletes some by hand."""
CLOCKS_DIFFER: Final = timedelta(minutes=15)
"""Time by which an export may come from the future."""

OwnRule: TypeAlias = Literal[
    "age",  # older than what counts as fresh
    "order",  # older than the one before it
    "future",  # from a time that is not yet
    "repeated",  # the same bytes as last time, though users were written meanwhile
    "unseen",  # no user has a path that was written for many
    "missing",  # too many of those that were written are not there
    "unplaced",  # users that cannot be read, not even their ids
]
ExportRule: TypeAlias = FileRule | OwnRule
"""Those of any patron file, and those of an export alone."""


class ExportFinding(NamedTuple):
    """What is wrong with an export. Any finding holds it: then it is no read-back."""

    rule: ExportRule
    text: str
    """In words, for the library."""
    field: str | None = None
    """The path that it is about."""


class ExportTime(NamedTuple):
    """When the library system was as the export says."""

    at: datetime
    """UTC."""
    told_by: Literal["manifest", "name", "arrival"]


class Written(NamedTuple):
    """What Samkat has told the library system before this export, to hold against it."""

    persons: int = 0
    """That were written and acknowledged, and should be there."""
    found: int = 0
    """Of these, in the export; one that cannot be read counts as there."""
    filled: Mapping[str, int] = {}
    """Path: persons that have a value in what was written."""
    since_last: bool = False
    """Whether any user was written, and taken, since the export before."""


NOTHING_WRITTEN: Final = Written()


class Compared(NamedTuple):
    """Some of the persons whom Samkat knows, held against what the export shows of them."""

    persons: int = 0
    written: Mapping[str, int] = {}
    """Path: persons whose document has a value in it."""
    shown: Mapping[str, int] = {}
    """Path: those of them of whom the export shows one."""


NOT_COMPARED: Final = Compared()
ENOUGH_COMPARED: Final = 50
"""From so many persons on the comparison counts, and no longer the shares of the export before."""


def exported_at(
    name: str, target: PatronTarget, zone: ZoneInfo, arrived_at: datetime, manifest: bytes | None = None
) -> ExportTime:
    """When an export was made: its manifest says it (`exported_at`), else its name, else it is when it arrived.

    A name without a time means the beginning of that day: staff may have edited for all the rest of it. Raises
    `DeliveryRejectedError` for a manifest or a name that says no time that there is.
    """
    told = _by_manifest(manifest, f"{name}{target.export.manifest or ''}", zone)
    if told is not None:
        return ExportTime(told, "manifest")
    groups = _groups(target.export.pattern, name)
    if groups.get("date"):
        return ExportTime(_by_name(groups["date"], groups.get("time"), name, zone), "name")
    return ExportTime(arrived_at.astimezone(UTC), "arrival")


def is_fresh(at: datetime, now: datetime, hours: int) -> bool:
    """Whether a read-back of that time still says what is there. Without one no document goes out."""
    return now - at <= timedelta(hours=hours)


def judge_export(
    facts: FileFacts,
    target: PatronTarget,
    exported: ExportTime,
    now: datetime,
    hours: int,
    *,
    last: FileFacts | None = None,
    last_at: datetime | None = None,
    written: Written = NOTHING_WRITTEN,
    manifest: Manifest | None = None,
    unplaced: int = 0,
    compared: Compared = NOT_COMPARED,
) -> list[ExportFinding]:
    """All findings of one export, in the order in which they are to be told; none: it is the read-back.

    `last` and `last_at` are of the export before it that was used; `hours` is how long a read-back is fresh (of the
    target, else of the policy); `unplaced` is `ReadBackTotals.unplaced`.
    """
    as_source = PatronSource(
        code=target.code,
        name=target.code,
        contact="nobody@library.example",
        institution=target.institution,
        format="bups2",
        content=target.export.content,
        file=target.export.file_rules,
    )
    findings = [ExportFinding(*each) for each in judge_file(facts, as_source, last, manifest)]
    if compared.persons >= ENOUGH_COMPARED:
        # What Samkat sent since can empty a path of itself: what it wrote is the measure, not the export before.
        findings = [each for each in findings if each.rule != "null_rate"]
        findings += _by_comparison(compared, target.export.null_window)
    findings += _by_time(exported, now, hours, last_at)
    if last is not None and written.since_last and facts.sha256 == last.sha256:
        text = "it is the same as last time, though users were written since: it was not made anew"
        findings.append(ExportFinding("repeated", text))
    if unplaced:
        text = f"{unplaced:,} users cannot be read, not even their ids: anybody might be one of them"
        findings.append(ExportFinding("unplaced", text))
    if target.export.content == "snapshot":
        findings += _by_written(facts, target, written)
    return findings


def _by_time(exported: ExportTime, now: datetime, hours: int, last_at: datetime | None) -> list[ExportFinding]:
    told = f"{exported.at:%Y-%m-%d %H:%M} UTC, as its {exported.told_by} says"
    findings = []
    if exported.at - now > CLOCKS_DIFFER:
        findings.append(ExportFinding("future", f"it was made later than now: {told}"))
    if not is_fresh(exported.at, now, hours):
        findings.append(ExportFinding("age", f"it is older than {hours} hours: {told}"))
    if last_at is not None and exported.at < last_at:
        findings.append(ExportFinding("order", f"it is older than the one before it: {told}"))
    return findings


def _by_written(facts: FileFacts, target: PatronTarget, written: Written) -> list[ExportFinding]:
    findings = []
    missing = written.persons - written.found
    if missing > max(MISSING_AT_LEAST, target.export.missing_window * written.persons):
        text = f"{missing:,} of {written.persons:,} persons that were written are not there"
        findings.append(ExportFinding("missing", text))
    if not facts.persons:
        return findings
    for path, persons in sorted(written.filled.items()):
        is_hidden = path in target.not_exported or facts.filled.get(path, 0)
        if persons > MISSING_AT_LEAST and not is_hidden:
            text = f"written for {persons:,} persons, and no user has it: not_exported of the register, if that is so"
            findings.append(ExportFinding("unseen", text, path))
    return findings


def _by_comparison(compared: Compared, window: float) -> list[ExportFinding]:
    findings = []
    for path, written in sorted(compared.written.items()):
        hidden = written - compared.shown.get(path, 0)
        if hidden > window * compared.persons:
            text = f"{hidden:,} of {compared.persons:,} persons who were compared have lost it since it was written"
            findings.append(ExportFinding("null_rate", text, path))
    return findings


def _by_manifest(content: bytes | None, file: str, zone: ZoneInfo) -> datetime | None:
    if content is None:
        return None
    try:
        document = orjson.loads(content)
        told = document.get("exported_at") if isinstance(document, dict) else None
        if told is None:
            return None
        at = datetime.fromisoformat(told)
    except (orjson.JSONDecodeError, ValueError, TypeError):
        remedy = 'write {"exported_at": "2025-11-21T02:00:00+01:00"}'
        raise DeliveryRejectedError("exported_at is no time that can be read", file=file, remedy=remedy) from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _groups(pattern: str | None, name: str) -> Mapping[str, str | None]:
    match = re.fullmatch(pattern, name) if pattern else None
    return match.groupdict() if match else {}


def _by_name(day: str | None, hour: str | None, name: str, zone: ZoneInfo) -> datetime:
    try:
        on = date.fromisoformat(day or "")
        at = time.fromisoformat(hour) if hour else time()
    except ValueError:
        remedy = "YYYYMMDD and HHMM or HHMMSS are read; correct the name, or the pattern of the register"
        raise DeliveryRejectedError("its name says no time that there is", file=name, remedy=remedy) from None
    return datetime.combine(on, at, zone).astimezone(UTC)
