"""Logs of a flow on the console: Samkat's own lines and retries, no tracebacks and no chatter."""

from __future__ import annotations

import logging

import pytest

from deployments.cli.running import _ForPeople, _OneLine, run_page
from deployments.local_server import ServerAddress

SITE = "/env/site-packages/prefect"


def record(path: str, level: int, message: str, exc_info: bool = False) -> logging.LogRecord:
    caught = (ValueError, ValueError("inside"), None) if exc_info else None
    return logging.LogRecord("prefect.task_runs", level, path, 1, message, (), caught)


@pytest.mark.parametrize(
    ("each", "is_shown"),
    [
        (record("/home/samkat/tasks/stage.py", logging.INFO, "stage: bib 12 in 0.4 s"), True),
        (record(f"{SITE}/task_engine.py", logging.INFO, "Finished in state Completed()"), False),
        (record(f"{SITE}/flow_engine.py", logging.ERROR, "Finished in state Failed()"), False),
        (record(f"{SITE}/task_engine.py", logging.INFO, "Task run failed - Retry 1/5 will start in 4 s"), True),
        (record(f"{SITE}/flow_engine.py", logging.ERROR, "Encountered exception", exc_info=True), False),
        (record(f"{SITE}/client/base.py", logging.WARNING, "Your server is older than this client"), True),
        (record(f"{SITE}/client/base.py", logging.INFO, "Connecting"), False),
    ],
)
def test_only_what_a_person_needs_is_shown(each: logging.LogRecord, is_shown: bool) -> None:
    assert _ForPeople().filter(each) is is_shown


def test_a_line_has_no_traceback_even_if_another_handler_has_formatted_it() -> None:
    each = record("/x/tasks/stage.py", logging.ERROR, "delivery 3: broken", exc_info=True)
    each.exc_text = "Traceback (most recent call last): ..."
    assert _OneLine("%(message)s").format(each) == "delivery 3: broken"


def test_a_runs_page_is_where_the_ui_shows_it() -> None:
    address = ServerAddress("http://127.0.0.1:4200/api", "http://127.0.0.1:4200", started=False, is_own=True)
    assert run_page(address, "abc") == "http://127.0.0.1:4200/runs/flow-run/abc"
    assert run_page(address, None) is None
