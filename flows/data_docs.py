"""Pages that show people how deliveries did against what is expected of them."""

from __future__ import annotations

import os
import sys

from flows.pipeline import pipeline
from tasks.quality.docs_turns import leave_waiting_place, wait_for_turn
from tasks.quality.stages import BUSY, write_data_docs
from tasks.workplace import workplace

LOW_PRIORITY = 10


@pipeline(name="data-docs", run_name="data-docs", timeout_seconds=3600)
def data_docs(limit: int = 500) -> dict[str, int]:
    """Make the Data Docs of deliveries that have none, the oldest first, at most `limit` of them."""
    return dict(write_data_docs(limit))


def main(waiting_place: int | None = None) -> None:
    """Run the flow when no other process of this home makes Data Docs: what `start_data_docs` starts.

    Somebody may take the turn between the waiting and the flow; whoever ended then counts on this process, so it waits
    again.
    """
    os.nice(LOW_PRIORITY)
    while True:
        wait_for_turn(workplace().settings.data_docs)
        if waiting_place is not None:
            leave_waiting_place(waiting_place)
            waiting_place = None
        if BUSY not in data_docs():
            return


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:2]))
