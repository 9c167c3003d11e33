"""Stages of the account flows: sweeping, renewing, shared accounts, change files for the systems."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import cast

import sqlalchemy as sa
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import task_run

from schemas.errors import SamkatError, UsageError
from schemas.outcomes import PlanState
from schemas.register.account_guards import AccountChange
from schemas.register.account_rules import AccountSystem
from schemas.summaries import AccountSummary
from schemas.warehouse.accounts import core_account_action, core_account_outbound, core_account_sweep
from schemas.warehouse.core import core_plan
from tasks.accounts import (
    applying,
    campaign,
    forgetting,
    guarding,
    lending,
    outbound,
    planning,
    shared,
    taking_back,
    telling,
)
from tasks.accounts.examples import require_examples
from tasks.accounts.health import trouble_of
from tasks.accounts.letters import Post
from tasks.accounts.past_runs import AccountRun, runs_named
from tasks.accounts.planning import Sweep
from tasks.accounts.staff_patrons import institutions_of
from tasks.accounts.store import ACCOUNTS_LOCK
from tasks.accounts.summary import as_markdown, expiring_by_month
from tasks.catalogue.preview import rolled_back
from tasks.catalogue.stages import Carried
from tasks.notices.stages import pages_of
from tasks.plans.plan import GuardedClass
from tasks.plans.store import class_column, resolve, show
from tasks.stage import run_id, stage, stage_logger
from tasks.workplace import Workplace, workplace

HEALTH_RETRIES = 3
"""A short trouble of a system is waited out; in a longer one its file waits for the next run."""


@stage()
def choose_systems(system: str | None = None) -> list[str]:
    """The systems of the register whose accounts are kept, or the one asked for; their examples must hold."""
    place = workplace()
    systems = place.register.account_systems
    require_examples(systems)
    if system is None:
        return [each.code for each in systems]
    return [system_of(place, system).code]


def system_of(place: Workplace, code: str) -> AccountSystem:
    """A system of the register. Raises `UsageError` for an unknown code."""
    found = place.register.account_system_by_code.get(code)
    if found is None:
        known = ", ".join(sorted(place.register.account_system_by_code)) or "none"
        raise UsageError(f"no system of accounts has the code {code!r}", remedy=f"known are {known}")
    return found


def post_of(place: Workplace, code: str) -> Post:
    """Letters about the accounts of a system."""
    return Post(place.register, system_of(place, code), place.now, run_id())


def business_day(place: Workplace, system: AccountSystem, on: date | None) -> date:
    """The day that a run decides for: as asked, as set, or the calendar's in the system's zone."""
    return on or place.settings.today or place.now.astimezone(system.tz).date()


@stage(name="begin sweep")
def begin_sweep(code: str, on: date | None, done: list[int]) -> int | None:
    """Open the sweep of the next day to be swept: missed nights come first. None when all of them are done."""
    place = workplace()
    system = system_of(place, code)
    until = business_day(place, system, on)
    with place.warehouse.read() as connection:
        swept = core_account_sweep.c
        last = connection.execute(sa.select(sa.func.max(swept.swept_on)).where(swept.sweep_id.in_(done))).scalar()
        if last is not None and last >= until:
            return None
        day = planning.next_day(connection, code, until)
    opened = planning.open_sweep(place.warehouse, system, day, now=place.now, run_id=run_id(), until=until)
    return opened.sweep_id


def sweep_of(place: Workplace, sweep_id: int, on: date | None = None) -> Sweep:
    """A sweep by its number; `on` is the last day of those that are caught up."""
    with place.warehouse.read() as connection:
        row = connection.execute(sa.select(core_account_sweep).where(core_account_sweep.c.sweep_id == sweep_id)).one()
    system = system_of(place, row.system)
    until = business_day(place, system, on) if row.purpose == "nightly" else None
    purpose = cast(planning.Purpose, row.purpose)
    return Sweep(sweep_id, system, row.swept_on, purpose, row.state, row.is_preview, until)


@stage(name="plan sweep")
def plan_accounts(sweep_id: int, on: date | None = None) -> Counter[str]:
    """Work out and store what is due with each account, before anything is done."""
    place = workplace()
    return planning.plan_sweep(place.warehouse, sweep_of(place, sweep_id, on))


@stage(name="carry out")
def carry_out(sweep_id: int, on: date | None = None) -> Counter[str]:
    """Ask the guards, carry out what they let through, and leave the other classes for approval."""
    place = workplace()
    sweep = sweep_of(place, sweep_id, on)
    with place.warehouse.write(ACCOUNTS_LOCK) as connection:
        _, held = guarding.guard_sweep(connection, sweep, now=place.now, run_id=run_id())
    counts = applying.apply_sweep(place.warehouse, sweep, held, now=place.now)
    return counts + Counter({f"held {each}": 1 for each in held})


@stage(name="tell")
def tell_accounts(sweep_id: int) -> Counter[str]:
    """Queue what libraries and the support desk are told of a sweep, and the operator of what waits; once."""
    place = workplace()
    post = post_of(place, sweep_of(place, sweep_id).system.code)
    with place.warehouse.write() as connection:
        told = telling.tell_of_sweep(connection, post, sweep_id)
        return told + telling.tell_of_hold(connection, post, sweep_id, pages_of(run_id()))


@stage(name="preview")
def preview_sweeps(systems: list[str], on: date | None) -> list[AccountSummary]:
    """What a sweep of that day would do and what would be held; then the working set of the dry run is forgotten."""
    place = workplace()
    found = []
    for code in systems:
        system = system_of(place, code)
        day = business_day(place, system, on)
        sweep = planning.open_sweep(place.warehouse, system, day, now=place.now, run_id=run_id(), is_preview=True)
        counts = planning.plan_sweep(place.warehouse, sweep)
        with place.warehouse.write(ACCOUNTS_LOCK) as connection:
            guarded, _ = guarding.guard_sweep(connection, sweep, now=place.now, run_id=run_id())
        found.append(_previewed(sweep, counts, guarded))
    return found


def _previewed(sweep: Sweep, counts: Counter[str], guarded: list[GuardedClass]) -> AccountSummary:
    held = {each.planned.change_class: each.reason for each in guarded if each.is_held}
    return AccountSummary(sweep.system.code, sweep.day, dict(counts), held, sweeps=(sweep.sweep_id,), is_preview=True)


@stage(name="check lending")
def check_lending(code: str, on: date | None) -> Counter[str]:
    """Ask the catalogue for the titles that libraries lend on disc or card; tell each what it lacks, once a month."""
    place = workplace()
    post = post_of(place, code)
    with place.warehouse.write(ACCOUNTS_LOCK) as connection:
        return lending.check_lending(connection, post, business_day(place, post.system, on))


@stage(name="ask system", retries=HEALTH_RETRIES)
def ask_system(code: str) -> str:
    """Ask the system's status page whether it is well; says what is wrong. A short trouble is waited out."""
    system = system_of(workplace(), code)
    trouble = trouble_of(system.health) if system.health else ""
    if trouble and 0 < (task_run.run_count or 0) <= HEALTH_RETRIES:
        # Not a SamkatError: this is what a stage's retries are for.
        raise ConnectionError(f"{system.name}: {trouble}")
    if trouble:
        stage_logger().warning("%s: %s; its file waits for the next run", system.name, trouble)
    return trouble


@stage(name="send changes")
def send_changes(code: str, on: date | None, trouble: str = "") -> Counter[str]:
    """Write the change file of a system, unless it is in trouble: then everything waits, and nothing is lost."""
    place = workplace()
    system = system_of(place, code)
    if trouble:
        return Counter({"waits for the system": 1})
    day = business_day(place, system, on)
    with place.warehouse.write(ACCOUNTS_LOCK) as connection:
        return outbound.send_changes(
            connection, place.zone, system, day,
            now=place.now, run_id=run_id(), institutions=institutions_of(place.register),
        )  # fmt: skip


@stage(name="summarise")
def summarise_sweeps(sweeps: dict[str, list[int]], trouble: dict[str, str], on: date | None) -> list[AccountSummary]:
    """Say what was done with the accounts of each system; an artifact with counts and a chart, and no person."""
    place = workplace()
    found, charts = [], {}
    for code, ids in sweeps.items():
        system = system_of(place, code)
        day = business_day(place, system, on)
        with place.warehouse.read() as connection:
            action = core_account_action.c
            rows = connection.execute(
                sa.select(action.action, sa.func.count())
                .where(action.sweep_id.in_(ids), action.state == "applied")
                .group_by(action.action)
            )
            summary = AccountSummary(
                code, day, dict(rows.tuples().all()), trouble=trouble.get(code, ""), sweeps=tuple(ids)
            )
            held, plan = _held_of(connection, ids[-1:])
            charts[code] = expiring_by_month(connection, code, day)
        found.append(replace(summary, held=held, plan_hash=plan))
    if run_id() is not None and found:
        create_markdown_artifact(
            as_markdown(found, charts, found[0].on), key="staff-accounts", description="Staff accounts"
        )
    return found


def _held_of(connection: sa.Connection, ids: list[int]) -> tuple[dict[str, str], str]:
    plan = connection.execute(
        sa.select(core_account_sweep.c.plan_hash).where(core_account_sweep.c.sweep_id.in_(ids))
    ).scalar()
    if plan is None:
        return {}, ""
    rows = connection.execute(
        sa.select(class_column, core_plan.c.reason).where(
            core_plan.c.plan_hash == plan, core_plan.c.state == PlanState.HELD
        )
    )
    held = dict(rows.tuples().all())
    return held, plan if held else ""


@stage(name="run renewals")
def run_renewals(code: str, on: date | None) -> Counter[str]:
    """Do what the renewal of a system has to do today: list, remind, report who has not answered, settle."""
    place = workplace()
    post = post_of(place, code)
    with place.warehouse.write(ACCOUNTS_LOCK) as connection:
        return campaign.run_campaign(connection, post, business_day(place, post.system, on))


@stage(name="run rotation")
def run_rotation(code: str, on: date | None) -> Counter[str]:
    """Announce the new password of shared accounts, or remind of those that are overdue."""
    place = workplace()
    post = post_of(place, code)
    with place.warehouse.write() as connection:
        return shared.run_rotation(connection, post, business_day(place, post.system, on))


@stage(name="announce retirement")
def announce_retirement(code: str, on: date | None) -> Counter[str]:
    """Before the switch date: tell the libraries, each with the lists of its shared logins."""
    place = workplace()
    post = post_of(place, code)
    with place.warehouse.write(ACCOUNTS_LOCK) as connection:
        return shared.run_retirement(connection, post, business_day(place, post.system, on))


@stage(name="begin retirement")
def begin_retirement(code: str, on: date | None) -> int | None:
    """From the switch date on: open the sweep that switches shared logins off. None before it, and when all are."""
    place = workplace()
    system = system_of(place, code)
    day = business_day(place, system, on)
    if system.retirement is None or day < system.retirement.on:
        return None
    with place.warehouse.read() as connection:
        if all(each.status == "retired" for each in shared.retirement_report(connection, code)):
            return None
    return planning.open_sweep(
        place.warehouse, system, day, now=place.now, run_id=run_id(), purpose="retirement"
    ).sweep_id


@stage(name="tell retired")
def tell_retired(sweep_id: int) -> Counter[str]:
    """Tell libraries and the support desk which shared logins were switched off."""
    place = workplace()
    sweep = sweep_of(place, sweep_id)
    with place.warehouse.write() as connection:
        return shared.tell_of_retirement(connection, post_of(place, sweep.system.code), sweep_id, sweep.day)


@stage(name="total")
def total_accounts(parts: list[dict[str, int]]) -> dict[str, int]:
    """Add up what was done over all systems."""
    return dict(sum((Counter(each) for each in parts), Counter[str]()))


@stage()
def apply_account_plan(plan_hash: str) -> Carried:
    """Carry out the classes of a sweep's plan that are approved; says what was done."""
    place = workplace()
    with place.warehouse.read() as connection:
        full_hash = resolve(connection, plan_hash)
        rows = [row for row in show(connection, full_hash) if row.flow in (guarding.FLOW, forgetting.FLOW)]
    said: dict[str, str] = {}
    problems: dict[str, str] = {}
    for row in rows:
        change = cast(AccountChange, row._mapping["class"])
        if row.state != PlanState.APPROVED:
            continue
        code = row.scope.partition(":")[2]
        try:
            if row.flow == forgetting.FLOW:
                said[f"{change} of {code}"] = _forget_approved(place, code, full_hash)
                continue
            with place.warehouse.write(ACCOUNTS_LOCK) as connection:
                counts = applying.apply_approved(connection, full_hash, change, now=place.now)
                sweep_id = applying.sweep_of_plan(connection, full_hash)
                if sweep_id is not None:
                    post = post_of(place, code)
                    telling.tell_of_sweep(connection, post, sweep_id, full_hash)
        except SamkatError as error:
            problems[change] = str(error)
        else:
            said[f"{change} of {code}"] = f"{counts['changed']} accounts"
    return Carried([], said, problems)


def account_runs_of(run: int | str) -> tuple[AccountRun, ...]:
    """The sweeps, files or campaigns that `run` names; empty where it is the number of another delivery."""
    with workplace().warehouse.read() as connection:
        return runs_named(connection, str(run))


@stage(name="revert accounts")
def revert_account_runs(runs: tuple[AccountRun, ...], *, dry_run: bool = False) -> dict[str, object]:
    """Take sweeps, files about accounts or a renewal back, the newest first; who was changed since stays, listed."""
    place = workplace()
    taking = taking_back.TakingBack(place.register.account_system_by_code, place.now, place.settings.today)
    transaction = rolled_back(place.warehouse) if dry_run else place.warehouse.write(ACCOUNTS_LOCK)
    with transaction as connection:
        done = [taking_back.take_back(connection, AccountRun(*each), taking) for each in runs]
    return taking_back.as_report(runs, done, dry_run=dry_run)


@stage()
def forget_old_accounts() -> tuple[Counter[str], tuple[str, ...]]:
    """Forget whose accounts were that ended long ago, as far as the limit lets it; counts, and why the others wait."""
    place = workplace()
    done = []
    for system in place.register.account_systems:
        day = business_day(place, system, None)
        with place.warehouse.write(ACCOUNTS_LOCK) as connection:
            done.append(forgetting.forget_accounts(connection, system, day, place.now, run_id=run_id()))
    return sum((each.counts for each in done), Counter()), tuple(each.held for each in done if each.held)


def _forget_approved(place: Workplace, code: str, plan: str) -> str:
    system = system_of(place, code)
    with place.warehouse.write(ACCOUNTS_LOCK) as connection:
        found = forgetting.forget_accounts(
            connection, system, business_day(place, system, None), place.now, run_id=run_id(), only_plan=plan
        )
    number = found.counts["accounts forgotten"]
    if not number:
        raise UsageError("nothing was forgotten: others would be by now", remedy="the next night asks again")
    return f"{number} accounts"


def last_outbound(place: Workplace, code: str) -> sa.Row[tuple[object, ...]] | None:
    """The newest change file of a system."""
    table = core_account_outbound
    with place.warehouse.read() as connection:
        return connection.execute(
            sa.select(table).where(table.c.system == code).order_by(table.c.outbound_id.desc()).limit(1)
        ).one_or_none()
