"""Nothing of a person is kept longer than it must be: erasing, shredding and forgetting, every night."""

from __future__ import annotations

from flows.pipeline import HELD_BECAUSE, pipeline
from tasks.accounts.stages import forget_old_accounts
from tasks.privacy.stages import erase_due_persons, forget_earlier_values, shred_old_files


@pipeline(name="patron-retention", run_name="patron-retention", timeout_seconds=2 * 3600, turn_at="patron-retention")
def patron_retention() -> dict[str, object]:
    """Erase who may be erased, as far as the guards let it; shred old files of persons; forget earlier values, and
    whose the staff accounts were that ended long ago.

    A number of persons over the limit waits for approval by the plan's hash, as every plan does.
    """
    erased, held = erase_due_persons()
    shredded = shred_old_files()
    forgotten = forget_earlier_values()
    accounts, accounts_held = forget_old_accounts()
    return {**erased, **shredded, **forgotten, **accounts, HELD_BECAUSE: "; ".join((*held, *accounts_held))}
