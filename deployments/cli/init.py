"""`samkat init`: the warehouse and the folders of the landing zone, made or brought up to date."""

from __future__ import annotations

from typing import Any

import typer

from deployments.cli import place
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, prose


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "init", "samkat init")
    def init(as_json: AsJson = False) -> None:
        """Create or migrate the warehouse and the landing folders. Safe to run again at any time."""

        made = prepare_home()
        Output(as_json).show(
            made,
            lambda console: prose(
                console,
                f"Warehouse    {made['warehouse']} (migration {made['migration']})",
                f"Landing zone {made['landing_zone']}: files of each sender come into incoming/<its code>/",
                f"Suppliers    {', '.join(made['suppliers'])}",
                *([f"Patrons      {', '.join(made['patron_sources'])}"] if made["patron_sources"] else []),
                *([f"Accounts     {', '.join(made['account_sources'])}"] if made["account_sources"] else []),
                "Next: `samkat catalogue load FILE` for what the catalogue has, `samkat ingest FILE --supplier CODE`.",
            ),
        )


def prepare_home() -> dict[str, Any]:
    """Make what is missing; returns what there is now. Raises `ConfigurationError` before anything is made."""
    from tasks.landing.opening import open_zone
    from tasks.warehouse.engine import connect
    from tasks.warehouse.migrate import migrate

    settings = place.settings()
    register = place.register(settings)
    suppliers, patron_sources = sorted(register.supplier_by_code), sorted(register.patron_source_by_code)
    senders = sorted(register.files_by_sender)
    zone = open_zone(settings.landing_url)
    warehouse = connect(settings.warehouse_url.get_secret_value())
    try:
        migration = migrate(warehouse)
    finally:
        warehouse.dispose()
    zone.prepare([*senders, "catalogue"])
    return {
        "home": str(settings.home),
        "warehouse": settings.warehouse_shown,
        "migration": migration,
        "landing_zone": settings.landing_url,
        "suppliers": suppliers,
        "patron_sources": patron_sources,
        "account_sources": sorted(register.account_source_by_code),
    }
