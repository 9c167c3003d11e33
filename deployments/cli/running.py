"""Running a flow from the command line: a server first, then Prefect, and its logs kept readable on stderr.

Prefect reads PREFECT_API_URL when it is imported, so everything that imports it is imported inside functions, after
`flow_session` has set the environment.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from deployments.cli.failing import is_debugging

if TYPE_CHECKING:
    from config.settings import Settings
    from deployments.cli.output import Output
    from deployments.local_server import ServerAddress


@contextlib.contextmanager
def flow_session(settings: Settings, output: Output, *, with_login: bool = True) -> Iterator[ServerAddress]:
    """A Prefect server to run flows against. Inside, whatever libraries print goes to stderr, not into the answer."""
    from deployments.local_server import client_environment, ensure_server

    address = ensure_server(settings, output.note, with_login=with_login)
    if address.started:
        output.note(f"The server is up: {address.ui_url} (`samkat server stop` ends it).")
        for line in how_to_log_in(settings, address):
            output.note(line)
    os.environ.update(client_environment(settings, address))
    with contextlib.redirect_stdout(sys.stderr):
        yield address


def how_to_log_in(settings: Settings, address: ServerAddress) -> list[str]:
    """What a person needs to know to get into the UI; nothing where this HOME's server asks for no login."""
    from deployments.login import login_file

    return [f"Its page asks for a login: the line in {login_file(settings.prefect_home)}"] if address.has_login else []


def run_flow(module: str, name: str, /, **parameters: Any) -> Any:
    """Run `flows.<module>.<name>` inside a `flow_session` and return what it returns."""
    with _importing():
        function = getattr(importlib.import_module(f"flows.{module}"), name)
    if not is_debugging():
        _shorten_console_log()
    return function(**parameters)


@contextlib.contextmanager
def _importing() -> Iterator[None]:
    """Thousands of modules come and stay: looking for garbage among them costs a tenth of the time, and finds none."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def run_page(address: ServerAddress, flow_run_id: str | None) -> str | None:
    """Where the Prefect UI shows a run."""
    return f"{address.ui_url}/runs/flow-run/{flow_run_id}" if flow_run_id else None


def _shorten_console_log() -> None:
    """On the console Samkat's own lines and retries, a line each; the Prefect UI keeps everything."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(each, _ForPeople) for each in handler.filters):
            handler.addFilter(_ForPeople())
            handler.setFormatter(_OneLine("%(asctime)s  %(message)s", "%H:%M:%S"))


class _ForPeople(logging.Filter):
    """Leaves out what Prefect says of every task, and errors that the command itself tells."""

    def filter(self, record: logging.LogRecord) -> bool:
        is_prefects = f"{os.sep}prefect{os.sep}" in record.pathname
        if not is_prefects:
            return True
        if record.filename in ("flow_engine.py", "task_engine.py"):
            return "Retry" in record.getMessage()
        return record.levelno >= logging.WARNING and record.exc_info is None


class _OneLine(logging.Formatter):
    """Without tracebacks, which the handler for the server has formatted already."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        record.asctime = self.formatTime(record, self.datefmt)
        return self.formatMessage(record)
