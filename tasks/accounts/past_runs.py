"""What was done with accounts, by the name that `samkat revert` takes: sweep-12, import-7, campaign-3.

Sweeps (the retirement of shared logins is one), files, renewal campaigns. A run of a flow is known by its id, too: it
may have swept several nights.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.warehouse.accounts import (
    core_account_action,
    core_account_campaign,
    core_account_history,
    core_account_import,
    core_account_renewal,
    core_account_sweep,
)
from schemas.warehouse.raw import raw_delivery
from tasks.landing.feeds import ACCOUNT

RunKind: TypeAlias = Literal["sweep", "import", "campaign"]
_NAME: Final = re.compile(r"(sweep|import|campaign)-([0-9]{1,18})")
_FLOW_RUN: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class AccountRun(NamedTuple):
    """Something that was done with accounts as a whole."""

    kind: RunKind
    number: int

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.kind}-{self.number}"


def runs_named(connection: Connection, named: str) -> tuple[AccountRun, ...]:
    """What `named` means: a name, the id of a flow's run, the number of a delivery; the newest first.

    Empty for the number of a delivery that is no file about accounts. Raises `UsageError` for what names nothing.
    """
    text = named.strip().lower()
    found = _NAME.fullmatch(text)
    if found:
        run = AccountRun(cast(RunKind, found[1]), int(found[2]))
        if not _is_there(connection, run):
            raise UsageError(f"there is no {run.name}", remedy="`samkat accounts runs` lists them")
        return (run,)
    if re.fullmatch(r"[0-9]{1,18}", text):
        return _of_delivery(connection, int(text))
    if _FLOW_RUN.fullmatch(text):
        sweep = core_account_sweep.c
        chosen = sa.select(sweep.sweep_id).where(sweep.run_id == text, sa.not_(sweep.is_preview))
        ids = connection.execute(chosen.order_by(sweep.sweep_id.desc())).scalars().all()
        if ids:
            return tuple(AccountRun("sweep", each) for each in ids)
    raise UsageError(
        f"{named!r} names nothing that can be taken back",
        remedy="give the number of a delivery (`samkat status`), or a name of `samkat accounts runs`, as sweep-12",
    )


def _is_there(connection: Connection, run: AccountRun) -> bool:
    """Whether there is such a run. A typing error is said at once: it starts no flow that fails."""
    number = {
        "sweep": core_account_sweep.c.sweep_id,
        "import": core_account_import.c.import_id,
        "campaign": core_account_campaign.c.campaign_id,
    }[run.kind]
    return connection.execute(sa.select(number).where(number == run.number)).one_or_none() is not None


def _of_delivery(connection: Connection, delivery_id: int) -> tuple[AccountRun, ...]:
    """The import that a dropped file became. One that had been taken before by a command became none of its own."""
    taken, row = core_account_import.c, raw_delivery.c
    delivery = connection.execute(
        sa.select(raw_delivery).where(row.delivery_id == delivery_id, row.kind == ACCOUNT)
    ).one_or_none()
    if delivery is None:
        return ()
    found = connection.execute(
        sa.select(taken.import_id).where(taken.sha256 == delivery.sha256, taken.created_at == delivery.finished_at)
    ).scalar()
    if found is None:
        raise UsageError(f"delivery {delivery_id} changed no account", remedy="`samkat accounts runs` lists what did")
    return (AccountRun("import", found),)


def last_runs(connection: Connection, most: int = 30) -> list[dict[str, Any]]:
    """The newest sweeps, files and campaigns: run, system, on, what, state, changed (accounts)."""
    rows = [*_sweeps(connection, most), *_imports(connection, most), *_campaigns(connection, most)]
    rows.sort(key=lambda each: each["at"], reverse=True)
    return rows[:most]


def _sweeps(connection: Connection, most: int) -> list[dict[str, Any]]:
    sweep, action = core_account_sweep.c, core_account_action.c
    steps = (
        sa.select(sa.func.count())
        .where(action.sweep_id == sweep.sweep_id, action.state == "applied", action.action.not_in(["notify", "flag"]))
        .scalar_subquery()
    )
    rows = connection.execute(
        sa.select(core_account_sweep, steps.label("steps"))
        .where(sa.not_(sweep.is_preview))
        .order_by(sweep.sweep_id.desc())
        .limit(most)
    )
    return [
        {"run": f"sweep-{row.sweep_id}", "system": row.system, "on": row.swept_on, "what": f"sweep, {row.purpose}",
         "state": row.state, "changed": row.steps, "at": row.created_at}
        for row in rows
    ]  # fmt: skip


def _imports(connection: Connection, most: int) -> list[dict[str, Any]]:
    taken = core_account_import.c
    undone = sa.exists().where(
        core_account_history.c.source == sa.literal("revert:import-") + sa.cast(taken.import_id, sa.Text)
    )
    rows = connection.execute(
        sa.select(core_account_import, undone.label("undone")).order_by(taken.import_id.desc()).limit(most)
    )
    return [
        {"run": f"import-{row.import_id}", "system": row.system, "on": row.said_on, "what": f"{row.kind}: {row.name}",
         "state": "reverted" if row.undone else "applied", "changed": row.rows_created + row.rows_changed,
         "at": row.created_at}
        for row in rows
    ]  # fmt: skip


def _campaigns(connection: Connection, most: int) -> list[dict[str, Any]]:
    campaign, renewal = core_account_campaign.c, core_account_renewal.c
    renewed = (
        sa.select(sa.func.count())
        .where(renewal.campaign_id == campaign.campaign_id, renewal.outcome == "renewed")
        .scalar_subquery()
    )
    rows = connection.execute(
        sa.select(core_account_campaign, renewed.label("renewed")).order_by(campaign.campaign_id.desc()).limit(most)
    )
    return [
        {"run": f"campaign-{row.campaign_id}", "system": row.system, "on": row.ends_on, "what": f"renewal {row.year}",
         "state": row.state, "changed": row.renewed, "at": row.created_at}
        for row in rows
    ]  # fmt: skip
