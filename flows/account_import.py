"""Files about staff accounts that lie in the landing zone are taken in, and their senders answered."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.account_files.stages import receive_account_files, take_account_files
from tasks.notices.stages import send_notices


@pipeline(name="account-import", run_name="{source}", timeout_seconds=3600, turn_at="account:{source}")
def account_import(source: str, uris: list[str], again: bool = False, patience_seconds: int = 0) -> dict[str, int]:
    """Take the waiting files of a sender about accounts: requests, changes, leavers, training, answers, downloads.

    `uris` are files in the landing zone; with none, what an earlier run left is taken up. Rows that cannot be taken are
    answered in words. `again` takes a file that was reverted or refused.
    """
    files = receive_account_files(source, uris, again=again)
    done = take_account_files(source, files)
    send_notices()
    return dict(done)
