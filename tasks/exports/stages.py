"""Stages of the export to local systems: files made, put, read back and noted, a profile at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from prefect.artifacts import create_markdown_artifact

from schemas.errors import SamkatError, UsageError
from schemas.register.export_profiles import ExportProfile
from tasks.batch import few_collections
from tasks.exports import ledger
from tasks.exports.exporting import Asked, Export
from tasks.exports.places import place_of
from tasks.exports.report import ExportLine, ExportReport, as_markdown, line_of, preview_line
from tasks.exports.shelving import archive_old_exports
from tasks.stage import is_passing, run_id, stage, stage_logger
from tasks.warehouse.planner import renew_statistics
from tasks.workplace import Workplace, workplace


@stage()
def choose_profiles(profile: str | None, since: datetime | None, until: datetime | None) -> tuple[str, ...]:
    """See which profiles are meant (all that are enabled, where none is named), and whether it can be done."""
    place = workplace()
    known = place.register.export_profile_by_name
    if profile is None:
        if since or until:
            raise UsageError("a past window is for one profile", remedy="name it with --profile")
        return tuple(each.name for each in known.values() if each.enabled)
    if profile not in known:
        remedy = f"known are {', '.join(sorted(known))}" if known else "export_profiles.toml is missing or empty"
        raise UsageError(f"no export profile has the name {profile!r}", remedy=remedy)
    asked = _asked(place, since, until)
    if asked.since and asked.until and asked.since >= asked.until:
        raise UsageError("the window ends before it begins", field="since", remedy="give an earlier moment")
    return (profile,)


@stage()
def send_files(
    profiles: tuple[str, ...], since: datetime | None = None, until: datetime | None = None
) -> tuple[int, ...]:
    """Make each profile's file from one snapshot, put it, read it back, and move the watermark. One bad profile stops
    no other."""
    place = workplace()
    renew_statistics(place.warehouse)
    sent: list[int] = []
    passing: list[Exception] = []
    for profile in _profiles(place, profiles):
        asked = _asked(place, since, until)
        try:
            export = Export(place.warehouse, place_of(profile, place.zone), profile, place.register.catalogue, asked)
            with few_collections():
                sent += _told(place, export.run())
        except Exception as error:
            if is_passing(error):
                passing.append(error)
                continue
            stage_logger().error("%s could not be exported: %s", profile.name, error, exc_info=error)
            sent.append(_note_failed(place, profile, asked, error))
    if passing:
        raise passing[0]
    return tuple(sent)


@stage()
def preview_files(
    profiles: tuple[str, ...], since: datetime | None = None, until: datetime | None = None
) -> tuple[ExportLine, ...]:
    """Compose each profile's file as it would be sent, count it, and keep nothing."""
    place = workplace()
    lines = []
    for profile in _profiles(place, profiles):
        asked = _asked(place, since, until)
        export = Export(place.warehouse, place_of(profile, place.zone), profile, place.register.catalogue, asked)
        composed = export.compose(is_kept=False)
        lines.append(preview_line(profile.name, asked.kind, composed))
    return tuple(lines)


@stage()
def archive_exports() -> Counter[str]:
    """Move files that are older than the register says from `exports/` of the landing zone to the archive."""
    place = workplace()
    return archive_old_exports(place.warehouse, place.zone, place.register.retention.exports_days, place.now)


@stage()
def summarise_exports(exports: tuple[int, ...], previews: tuple[ExportLine, ...] | None = None) -> ExportReport:
    """Sum up the run: a line a profile as an artifact. Fails where a profile could not be exported."""
    lines = previews if previews is not None else _lines(workplace(), exports)
    if run_id() is not None:
        said = "What would be sent: dry run, nothing kept" if previews is not None else "What the local systems got"
        create_markdown_artifact(as_markdown(lines), key="exports", description=said)
    failed = [each for each in lines if each.state == "failed"]
    if failed:
        raise SamkatError(
            "; ".join(f"{each.profile}: {each.reason}" for each in failed),
            remedy="the other profiles went on; the next run sends what these are owed",
        )
    return ExportReport(lines)


def _profiles(place: Workplace, names: Sequence[str]) -> Iterator[ExportProfile]:
    known = place.register.export_profile_by_name
    return (known[name] for name in names if name in known)


def _told(place: Workplace, exports: list[int]) -> list[int]:
    """A line of the log for each file."""
    for each in _lines(place, exports):
        what = f"{each.name}, {each.counts['records']} records" if each.name else "nothing has changed"
        stage_logger().info("%s: %s", each.profile, what)
    return exports


def _lines(place: Workplace, exports: Sequence[int]) -> list[ExportLine]:
    with place.warehouse.read() as connection:
        return [line_of(row) for row in ledger.export_rows(connection, exports)]


def _asked(place: Workplace, since: datetime | None, until: datetime | None) -> Asked:
    zone = ZoneInfo(place.settings.timezone)
    return Asked(place.today, place.now, zone, run_id(), _instant(since, zone), _instant(until, zone))


def _instant(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    """A moment that says no zone is one of the consortium's."""
    return moment.replace(tzinfo=zone) if moment is not None and moment.tzinfo is None else moment


def _note_failed(place: Workplace, profile: ExportProfile, asked: Asked, error: Exception) -> int:
    with place.warehouse.write() as connection:
        return ledger.note_failed(connection, profile.name, asked.kind, str(error)[:2_000], asked.run_id, asked.now)
