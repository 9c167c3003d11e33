"""`samkat server`: the Prefect server of this HOME, started and ended by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.cli import place
from deployments.cli.options import AsJson, command, group
from deployments.cli.output import Output, prose
from deployments.cli.running import how_to_log_in

if TYPE_CHECKING:
    from deployments.local_server import ServerStatus

app = group("The Prefect server of this HOME. Commands that run a flow start it by themselves.")


@command(app, "start", "samkat server start", "SAMKAT_PREFECT_PORT=4300 samkat server start")
def start(as_json: AsJson = False) -> None:
    """Start the server in the background, unless it runs; with PREFECT_API_URL set, check that one."""
    from deployments.local_server import ensure_server

    output = Output(as_json)
    settings = place.settings()
    address = ensure_server(settings, output.note)
    said = "The server has been started" if address.started else "The server runs"
    lines = [f"{said}: {address.ui_url} (API {address.api_url})", *how_to_log_in(settings, address)]
    output.show(address, lambda console: prose(console, *lines))


@command(app, "stop", "samkat server stop")
def stop(as_json: AsJson = False) -> None:
    """End the server of this HOME. Runs that are under way fail; stages go on where they were when run again."""
    from deployments.local_server import stop_server

    stopped = stop_server(place.settings())
    said = "The server has been stopped." if stopped else "No server of this HOME was running."
    Output(as_json).show({"stopped": stopped}, lambda console: prose(console, said))


@command(app, "status", "samkat server status", "samkat server status --json")
def status(as_json: AsJson = False) -> None:
    """Say whether the server runs, and where."""
    from deployments.local_server import server_status

    found = server_status(place.settings())
    Output(as_json).show(found, lambda console: prose(console, *in_words(found)))


def in_words(found: ServerStatus) -> list[str]:
    """The state of the server for people."""
    if found.state == "given" and found.address is not None:
        answer = "it answers" if found.is_answering else "it does not answer"
        return [f"Prefect server {found.address.api_url} (from PREFECT_API_URL): {answer}"]
    if found.state == "running" and found.address is not None:
        return [f"Prefect server {found.address.ui_url} runs (process {found.pid}, log {found.log})"]
    if found.state == "starting":
        return [f"Prefect server: a process is there, but does not answer (yet); log {found.log}"]
    return ["Prefect server: not running; the first command that needs it starts it"]
