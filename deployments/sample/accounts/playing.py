"""The two years played into a warehouse: each file on its day, and the nights between them swept. No e-mail is sent."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time

from deployments.sample.accounts.years import AccountFile
from schemas.register.account_rules import AccountSystem
from schemas.register.register import Register
from tasks.accounts.all_files import take_file
from tasks.accounts.applying import apply_sweep
from tasks.accounts.changing import Occasion
from tasks.accounts.guarding import guard_sweep
from tasks.accounts.planning import next_day, open_sweep, plan_sweep
from tasks.accounts.store import ACCOUNTS_LOCK
from tasks.warehouse.engine import Warehouse


def play(warehouse: Warehouse, register: Register, files: Iterable[AccountFile]) -> Counter[str]:
    """Take in every file on its day; before it the nights that are due. Counts rows by what became of them."""
    counts: Counter[str] = Counter()
    libraries = frozenset(register.library_by_sigel)
    for file in files:
        system = register.account_system_by_code[file.system]
        sweep_until(warehouse, system, file.day)
        occasion = Occasion(system, file.day, _morning(file.day), f"import:{file.name}")
        with warehouse.write(ACCOUNTS_LOCK) as connection:
            stream = io.BytesIO(file.text.encode())
            counts += take_file(connection, stream, file.name, occasion, libraries, file.kind).counts
    return counts


def sweep_until(warehouse: Warehouse, system: AccountSystem, day: date) -> None:
    """Sweep every night that is due, up to this one; what is over a limit waits as it would."""
    while True:
        with warehouse.read() as connection:
            night = next_day(connection, system.code, day)
        now = _morning(night)
        sweep = open_sweep(warehouse, system, night, now=now, run_id=None)
        plan_sweep(warehouse, sweep)
        with warehouse.write(ACCOUNTS_LOCK) as connection:
            _, held = guard_sweep(connection, sweep, now=now, run_id=None)
        apply_sweep(warehouse, sweep, held, now=now)
        if night == day:
            return


def _morning(day: date) -> datetime:
    return datetime.combine(day, time(3, 30), UTC)
