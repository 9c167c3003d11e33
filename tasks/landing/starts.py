"""What to start for what waits: one run a sender, with everything that waits, never two at once.

Pure, and shared by the watcher and the sweep: both plan the same run for the same files, under the same key, so that
whoever comes second finds the first one's run. A key is made of names, sizes and times, not of the bytes: hashing some
gigabytes before each start would be done again by the run, and that a file is loaded once is the ledger's affair.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tasks.landing.zone import LandedFile

MOST_FILES = 500
"""Files a run is started with; the next run takes the rest."""
MOST_URI_BYTES = 250_000
"""Prefect refuses parameters over some 500 KB."""
FIRST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=6)
SUPPLIERS_FLOW, PATRONS_FLOW, ACCOUNTS_FLOW = "supplier-ingest", "patron-sync", "account-import"
TRIALS_FLOW, CUSTOMERS_FLOW = "supplier-trial", "supplier-customers"
SENDER_PARAMETER = {
    SUPPLIERS_FLOW: "supplier",
    PATRONS_FLOW: "source",
    ACCOUNTS_FLOW: "source",
    TRIALS_FLOW: "supplier",
    CUSTOMERS_FLOW: "supplier",
}
"""Flows that take what is dropped, and the parameter that says whose files they are to take."""
CUSTOMERS_NAME = re.compile(r"customers[^/]*\.csv", re.IGNORECASE)
"""A supplier's list of its customers in its folder: no delivery is named so."""


@dataclass(frozen=True)
class Start:
    """A run to start. Without `uris` it takes up what an earlier run left."""

    sender: str
    uris: tuple[str, ...]
    key: str
    """The same for the same files and the same unfinished deliveries."""
    later: int = 0
    """Files of the sender that the next run takes."""
    flow: str = SUPPLIERS_FLOW
    """The flow that takes this sender's files."""
    by_run_of: str = ""
    """Whose run takes them, where that is not the sender's own: it looks for them by itself."""

    @property
    def parameters(self) -> dict[str, object]:
        """What the run is started with."""
        if self.by_run_of:
            return {SENDER_PARAMETER[self.flow]: self.by_run_of, "uris": []}
        return {SENDER_PARAMETER[self.flow]: self.sender, "uris": list(self.uris)}


def plan_starts(
    waiting: Mapping[str, Sequence[LandedFile]], unfinished: Mapping[str, Iterable[str]], busy: Collection[str]
) -> list[Start]:
    """One start for each sender that has files waiting or unfinished deliveries and is not `busy`.

    `waiting` holds each sender's whole files, oldest first; `unfinished` names each sender's deliveries that were left
    on the way, and how they stand. The sender with the oldest file comes first.
    """
    senders = [each for each in {**dict.fromkeys(waiting), **dict.fromkeys(unfinished)} if each not in busy]
    starts = [_start(each, waiting.get(each, ()), unfinished.get(each, ())) for each in senders]
    oldest = {each: min(file.modified_at for file in files) for each, files in waiting.items() if files}
    # What was left on the way is older than everything that waits.
    return sorted(starts, key=lambda each: (bool(each.uris), oldest[each.sender].timestamp() if each.uris else 0.0))


def _start(sender: str, files: Sequence[LandedFile], unfinished: Iterable[str]) -> Start:
    some = _first(files)
    facts = [f"{each.key}\n{each.size}\n{each.modified_at.isoformat()}" for each in some]
    text = "\n\n".join([sender, *sorted(facts), *sorted(unfinished)])
    key = f"{sender}-{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"
    return Start(sender, tuple(each.uri for each in some), key, len(files) - len(some))


def _first(files: Sequence[LandedFile]) -> list[LandedFile]:
    """As many of the files as one run is started with."""
    chosen: list[LandedFile] = []
    room = MOST_URI_BYTES
    for each in files[:MOST_FILES]:
        room -= len(each.uri) + 4
        if room < 0 and chosen:
            break
        chosen.append(each)
    return chosen


def lists_of_customers(
    waiting: Mapping[str, Sequence[LandedFile]], suppliers: Collection[str]
) -> tuple[dict[str, list[LandedFile]], dict[str, list[LandedFile]]]:
    """What waits, parted: deliveries, and suppliers' lists of their customers (`customers*.csv`)."""
    deliveries: dict[str, list[LandedFile]] = {}
    lists: dict[str, list[LandedFile]] = {}
    for sender, files in waiting.items():
        for each in files:
            is_list = sender in suppliers and CUSTOMERS_NAME.fullmatch(each.name)
            (lists if is_list else deliveries).setdefault(sender, []).append(each)
    return deliveries, lists


def pause_after(attempts: int) -> timedelta:
    """How long to wait before the same work is started again, after so many runs that left it: 5 minutes, 10, 20, ...

    A file that may not be read, or a delivery that stops at the same error each time, must not fill the night with
    runs.
    """
    doubled: int = 2 ** min(attempts - 1, 20)
    return min(FIRST_PAUSE * doubled, LONGEST_PAUSE)
