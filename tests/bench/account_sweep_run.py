"""One measurement of bench_accounts in a process of its own, so that its memory is its own: prints JSON.

`python -m tests.bench.account_sweep_run URL make|select|sweep [SIZE]`
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.register.account_rules import AccountSystem
from schemas.warehouse.accounts import core_account
from tasks.accounts.applying import apply_sweep
from tasks.accounts.changing import Occasion, make_accounts
from tasks.accounts.guarding import guard_sweep
from tasks.accounts.planning import open_sweep, plan_sweep
from tasks.accounts.store import ACCOUNTS_LOCK
from tasks.warehouse.engine import Warehouse, connect
from tasks.warehouse.migrate import migrate
from tests.bench.ingest_run import peak_mib

DAY = date(2026, 6, 3)
DUE_OF = 50
"""One account in so many is due: 2%."""
CHUNK = 20_000
NOW = datetime(2026, 6, 3, 2, 0, tzinfo=UTC)


def main(url: str, what: str, size: int) -> dict[str, Any]:
    """Do one of the three; returns seconds, peak MiB and what was counted."""
    warehouse = connect(url)
    if what == "make":
        migrate(warehouse)
    before, started = peak_mib(os.getpid()), time.perf_counter()
    counted = {"make": _make, "select": _select, "sweep": _sweep}[what](warehouse, size)
    seconds = time.perf_counter() - started
    warehouse.dispose()
    return {"seconds": seconds, "peak_mib": peak_mib(os.getpid()), "before_mib": before, **counted}


def _alma() -> AccountSystem:
    return next(each for each in read_register(SAMPLE_REGISTER).account_systems if each.code == "alma")


def _make(warehouse: Warehouse, size: int) -> dict[str, int]:
    """`size` accounts: 2% ended yesterday, the others end in the years to come or never."""
    occasion = Occasion(_alma(), date(2026, 1, 15), NOW, "bench")
    for begin in range(0, size, CHUNK):
        rows = [_row(number) for number in range(begin, min(size, begin + CHUNK))]
        with warehouse.write(ACCOUNTS_LOCK) as connection:
            make_accounts(connection, occasion, rows)
    account = core_account.c
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        # As after a sweep in January: each is looked at when something of it is due.
        connection.execute(sa.update(core_account).values(look_on=None, is_unsent=False, judged_on=DAY))
        connection.execute(
            sa.update(core_account).where(account.expires_on == DAY - timedelta(days=1)).values(look_on=DAY)
        )
        later = account.expires_on > DAY
        connection.execute(sa.update(core_account).where(later).values(look_on=date(2027, 1, 1)))
    with warehouse.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return {"accounts": size}


def _row(number: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "login": f"user{number:08}",
        "library": f"LIB{number % 400:03}",
        "kind": "personal",
        "name": f"Person Number {number}",
        "email": f"person{number}@library{number % 400}.example",
        "tasks": "loans and returns",
        "roles": '[{"role":"fulfilment","scope":"","since":"2026-01-15"}]',
    }
    if number % DUE_OF == 0:
        return row | {"employment": "temporary", "mission_end_on": date(2026, 5, 2)}
    if number % 3 == 0:
        return row | {"employment": "temporary", "mission_end_on": date(2027, 5, 31)}
    return row | ({"employment": "volunteer"} if number % 3 == 1 else {})


def _select(warehouse: Warehouse, size: int) -> dict[str, int]:
    """Every row into Python, as whoever looks at all accounts has to do first."""
    number = 0
    with warehouse.read() as connection:
        for part in connection.execution_options(yield_per=10_000).execute(sa.select(core_account)).partitions():
            number += len(part)
    return {"accounts": number}


def _sweep(warehouse: Warehouse, size: int) -> dict[str, int]:
    """A night: planned, guarded, carried out."""
    system = _alma()
    opened = open_sweep(warehouse, system, DAY, now=NOW, run_id=None)
    plan_sweep(warehouse, opened)
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        _, held = guard_sweep(connection, opened, now=NOW, run_id=None)
    return dict(apply_sweep(warehouse, opened, held, now=NOW))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)))
