"""Stages of `account-import`: files about accounts out of the landing zone, received and taken in."""

from __future__ import annotations

from collections import Counter
from zoneinfo import ZoneInfo

from schemas.errors import UsageError
from schemas.outcomes import DeliveryState
from schemas.register.account_sources import AccountSource
from schemas.register.suppliers import FileRules
from tasks.account_files.taking import Taking, left_of, take_delivery, tell_rejected
from tasks.accounts.examples import require_examples
from tasks.landing.feeds import ACCOUNT
from tasks.landing.receiving import Receiving
from tasks.landing.stages import receive_each
from tasks.stage import run_id, stage, stage_logger
from tasks.warehouse.ledger import delivery
from tasks.workplace import Workplace, workplace


def source_of(place: Workplace, code: str) -> AccountSource:
    """A sender of files about accounts. Raises `UsageError` for an unknown code."""
    found = place.register.account_source_by_code.get(code)
    if found is None:
        known = ", ".join(sorted(place.register.account_source_by_code)) or "none: see account_sources.toml"
        raise UsageError(f"no sender of files about accounts has the code {code!r}", remedy=f"known are {known}")
    return found


@stage(name="receive files")
def receive_account_files(source: str, uris: list[str], *, again: bool = False) -> list[int]:
    """Enter waiting files in the ledger and put their originals away; also takes up what an earlier run left."""
    place = workplace()
    known = source_of(place, source)
    system = place.register.account_system_by_code[known.system]
    require_examples((system,))
    receiving = Receiving(
        kind=ACCOUNT,
        sender=source,
        rules=FileRules(marker=known.marker),
        limits=place.unpack_limits,
        now=place.now,
        today=place.settings.today or place.now.astimezone(ZoneInfo(system.zone)).date(),
        again=again,
    )
    ids = receive_each(place, uris, receiving)
    with place.warehouse.read() as connection:
        return ids + [each for each in left_of(connection, source) if each not in ids]


@stage(name="take in")
def take_account_files(source: str, deliveries: list[int]) -> Counter[str]:
    """Take each file in, and answer its sender; one that cannot be read goes to quarantine and stops no other."""
    place = workplace()
    taking = Taking(place.register, source_of(place, source), place.now, run_id())
    counts: Counter[str] = Counter()
    for each in deliveries:
        with place.warehouse.read() as connection:
            row = delivery(connection, each)
        if row.state == DeliveryState.REJECTED:
            tell_rejected(place.warehouse, each, taking)
            continue
        done = take_delivery(place.warehouse, place.zone, each, taking)
        stage_logger().info(
            "%s: %s", row.name, ", ".join(f"{name} {n}" for name, n in done.items() if n) or "done before"
        )
        counts += done
    return counts
