"""`samkat intake`: the service over which institutions send one person at a time."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, prose

PORT = 8010


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "intake", "samkat intake", "samkat intake --host 0.0.0.0 --port 8443")
    def intake(
        host: Annotated[str, typer.Option("--host", help="Address to listen on; a TLS proxy stands before it.")] = (
            "127.0.0.1"
        ),
        port: Annotated[
            int | None, typer.Option("--port", min=1, max=65535, help="Port; else SAMKAT_INTAKE_PORT, else 8010.")
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Run the intake service: institutions send one person at a time over HTTP (BUPS 3).

        Stays until Ctrl-C or SIGTERM; requests under way are answered first. `/openapi.json` describes it.
        """
        settings = place.settings()
        place.register(settings)
        with place.warehouse(settings):
            pass  # it is there, and at this program's migration
        from deployments.intake.running import run

        chosen = port or settings.intake_port or PORT
        address = f"http://{host}:{chosen}"
        Output(as_json).show(
            {"address": address, "openapi": f"{address}/openapi.json"},
            lambda console: prose(console, f"Intake service  {address}", "Ctrl-C ends it."),
        )
        sys.stdout.flush()  # a supervisor reads it through a pipe
        run(settings, host, chosen)
