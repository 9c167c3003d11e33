"""`samkat serve`: everything on one machine, until told to end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli import place
from deployments.cli.init import prepare_home
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, prose
from deployments.cli.running import how_to_log_in
from schemas.errors import UsageError

if TYPE_CHECKING:
    import threading

    from config.settings import Settings
    from deployments.local_server import ServerAddress

RUNS_AT_A_TIME = 4


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "serve", "samkat serve", "samkat serve --port 4300 --limit 8")
    def serve(
        port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port of the UI.")] = None,
        watch: Annotated[bool, typer.Option("--watch/--no-watch", help="Watch for files that are dropped.")] = True,
        limit: Annotated[int, typer.Option("--limit", min=1, help="Runs at a time; more wait.")] = RUNS_AT_A_TIME,
        as_json: AsJson = False,
    ) -> None:
        """Run everything on this machine: Prefect server and UI, schedules, a worker, the drop watcher.

        Stays until Ctrl-C or SIGTERM. Makes or migrates the warehouse first; ends the server only if it started it.
        """
        from deployments.serve import alone, told_to_end

        output = Output(as_json)
        settings = _own_settings(port)
        with alone(settings), told_to_end() as stop:
            output.note(f"Serving {settings.home}")
            made = prepare_home()
            output.note(f"Warehouse {made['warehouse']}, landing zone {made['landing_zone']}")
            if not stop.is_set():
                _serve(settings, output, stop, watches=watch, limit=limit)
            output.note("Everything has ended.")


def _own_settings(port: int | None) -> Settings:
    """The settings, with the port that was asked for. Raises `UsageError` where another server is named."""
    if os.environ.get("PREFECT_API_URL", "").strip():
        raise UsageError(
            "PREFECT_API_URL names a server elsewhere, and `samkat serve` runs one of its own",
            remedy="unset it; for a server elsewhere: `samkat deployments apply`, and a worker (docs/deploying.md)",
        )
    if port is not None:
        os.environ["SAMKAT_PREFECT_PORT"] = str(port)
    return place.settings()


def _serve(settings: Settings, output: Output, stop: threading.Event, *, watches: bool, limit: int) -> None:
    """The server, what is declared, worker and watcher, until `stop`."""
    from deployments.local_server import client_environment, ensure_server, stop_server
    from deployments.serve import apply_deployments, children, run_until

    address = ensure_server(settings, output.note)
    try:
        environment = client_environment(settings, address)
        output.note("Putting the deployments on the server ...")
        for line in apply_deployments(environment):
            output.note(f"  {line}")
        running = children(settings, environment, watches=watches, limit=limit)
        lines = _said(settings, address, watches)
        output.show(
            {"ui": address.ui_url, "api": address.api_url, "has_login": address.has_login, "home": settings.home},
            lambda console: prose(console, *lines),
        )
        run_until(stop, running, output.note)
    finally:
        if address.started:
            output.note("Ending the Prefect server ...")
            stop_server(settings)


def _said(settings: Settings, address: ServerAddress, watches: bool) -> list[str]:
    """Where everything is, for a person."""
    lines = [f"Prefect UI    {address.ui_url}", *how_to_log_in(settings, address)]
    if watches:
        lines.append(f"Drop files in {settings.landing_url}, below incoming/, in the folder of their sender")
    if settings.intake_port is not None:
        lines.append(f"Intake        http://127.0.0.1:{settings.intake_port}")
    return [*lines, f"Logs          {settings.home / 'logs'}", "Ctrl-C ends it."]
