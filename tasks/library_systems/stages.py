"""Stages that talk with library systems: reading back what they hold, and sending what Samkat has changed."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from schemas.errors import ConfigurationError
from schemas.register.patron_targets import PatronTarget
from tasks.accounts.staff_patrons import staff_of
from tasks.patrons.alma_api import AlmaApi, api_of
from tasks.patrons.by_api import fetched, send_by_api
from tasks.patrons.occasion import Occasion
from tasks.patrons.receiving_exports import receive_export, waiting_exports
from tasks.patrons.sending_out import send_out
from tasks.patrons.stages import own_ranks
from tasks.patrons.taking_read_back import Export, fresh_read_back, take_export
from tasks.stage import run_id, stage, stage_logger
from tasks.workplace import Workplace, workplace


@stage()
def take_read_back(source: str) -> Counter[str]:
    """Take in what the institution's library system holds now: an export of it that waits, or what its API says."""
    place = workplace()
    target = target_of(place, source)
    if target is None or target.kind == "warehouse":
        return Counter()
    occasion = Occasion(
        place.today, target.institution, None, place.register.patron_policy, own_ranks(place, target.institution)
    )
    counts: Counter[str] = Counter()
    for export in _exports(place, target):
        taken, findings = take_export(
            place.warehouse,
            export,
            occasion,
            read_back_hours(place, target),
            now=place.settings.as_of(),
            run_id=run_id() or str(uuid.uuid4()),
            salt=place.patron_salt,
        )
        counts += taken + Counter({f"finding {each.rule}": 1 for each in findings})
        for each in findings:
            about = f"{each.field}: {each.text}" if each.field else each.text
            stage_logger().warning("%s is no read-back: %s", export.name, about)
    return counts


def _exports(place: Workplace, target: PatronTarget) -> Iterator[Export]:
    if target.kind == "alma_api":
        with _api(target) as api, fetched(api, target, place.settings.as_of()) as export:
            yield export
        return
    zone = ZoneInfo(place.settings.timezone)
    for file in waiting_exports(place.zone, target):
        export_of_file = receive_export(place.warehouse, place.zone, file, target, zone, place.now)
        if export_of_file is not None:
            yield export_of_file


def _api(target: PatronTarget) -> AlmaApi:
    """The API of a library system, with the key of the environment. Raises `ConfigurationError` where there is none."""
    key = os.environ.get(target.api_key or "", "")
    if not key:
        raise ConfigurationError(
            f"the API key of {target.code} is not set",
            field=target.api_key,
            remedy="set it in the workers' environment",
        )
    return api_of(target, SecretStr(key))


def target_of(place: Workplace, source: str) -> PatronTarget | None:
    """The library system of a source's institution; None: Samkat talks to none."""
    return place.register.patron_target_by_institution.get(place.patron_source(source).institution)


def read_back_hours(place: Workplace, target: PatronTarget) -> int:
    """How long a read-back of this library system is fresh."""
    return target.read_back_hours or place.register.patron_policy.read_back_hours


@stage()
def write_out(source: str) -> Counter[str]:
    """Tell the institution's library system of everybody whom it does not have as they are now.

    Without a fresh read-back nobody is told of: an edit that nobody has read back would be lost.
    """
    place = workplace()
    target = target_of(place, source)
    if target is None or target.kind == "warehouse":
        return Counter()
    now = place.settings.as_of()
    with place.warehouse.read() as connection:
        fresh = fresh_read_back(connection, target.institution, now, read_back_hours(place, target))
        staff = staff_of(connection, place.register, target.institution, place.today)
    if fresh is None:
        stage_logger().warning("%s has no fresh read-back: no document goes out", target.institution)
        return Counter(without_read_back=1)
    if target.kind == "alma_api":
        with _api(target) as api:
            return send_by_api(place.warehouse, target, api, fresh.as_of, staff).counts
    mine = run_id() or str(uuid.uuid4())
    return send_out(
        place.warehouse, place.zone, target, fresh.as_of, day=place.today, now=now, run_id=mine, staff=staff
    ).counts
