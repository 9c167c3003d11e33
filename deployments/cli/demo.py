"""`samkat demo`: one night of the sample consortium in a fresh home, and where to look at what came of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli import place
from deployments.cli.deliveries import Told, render_deliveries, tell
from deployments.cli.demo_accounts import AccountNight, render_accounts, run_account_night
from deployments.cli.demo_patrons import run_patron_night
from deployments.cli.failing import DONE, report_failure
from deployments.cli.ingest import adopted
from deployments.cli.init import prepare_home
from deployments.cli.options import AsJson, command
from deployments.cli.output import Output, prose
from deployments.cli.patrons import render_files
from deployments.cli.review import write_worklist
from deployments.cli.running import flow_session, run_flow
from schemas.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from config.settings import Settings
    from deployments.local_server import ServerAddress
    from schemas.summaries import PatronSummary

SEED = 1
KEPT_VARIABLES = ("SAMKAT_DEBUG", "SAMKAT_PREFECT_PORT")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "demo", "samkat demo", "samkat demo --home ./trial")
    def demo(
        home: Annotated[Path | None, typer.Option("--home", help="Where to; a new temporary folder else.")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Run one night of the sample consortium in a fresh home: what came in, what became of it and why.

        Uses nothing of your own settings and touches nothing but the home it makes. Takes about a minute.
        """
        output = Output(as_json)
        own = _own_variables()
        settings = _fresh_settings(home)
        output.note(f"The demonstration lives in {settings.home}")
        prepare_home()
        catalogue, night = _write_sample(settings, output)
        with flow_session(settings, output, with_login=False) as address:
            ids, code = _run_night(settings, output, catalogue, night)
            persons = run_patron_night(settings, output)
            accounts = run_account_night(settings, output)
        with place.warehouse(settings) as warehouse, warehouse.read() as connection:
            told = tell(connection, ids)
        where = _where_to_look(settings, address)
        output.show(
            told.document(persons=persons, accounts=accounts, where_to_look=where),
            lambda console: _render(console, told, (persons, accounts), settings, where, own),
        )
        raise typer.Exit(code)


def _own_variables() -> list[str]:
    """Settings of the person's own in the environment, which play no part in the demonstration."""
    return sorted(name for name in os.environ if name.startswith("SAMKAT_") and name not in KEPT_VARIABLES)


def _fresh_settings(home: Path | None) -> Settings:
    """Settings of a home of its own: a person's warehouse, register or mail server must play no part."""
    from deployments.sample import SAMPLE_NIGHT

    if home is not None and home.exists() and any(home.iterdir()):
        raise UsageError("is not empty", file=str(home), remedy="name a new folder, or leave --home out")
    for name in _own_variables():
        del os.environ[name]
    os.environ["SAMKAT_HOME"] = str(home or tempfile.mkdtemp(prefix="samkat-demo-"))
    os.environ["SAMKAT_TODAY"] = SAMPLE_NIGHT.isoformat()
    # Made once, at the end of the night.
    os.environ["SAMKAT_DATA_DOCS"] = "off"
    return place.settings()


def _write_sample(settings: Settings, output: Output) -> tuple[list[Path], dict[str, list[Path]]]:
    """The union catalogue's files, and the night's files by supplier in the order in which they came."""
    from deployments.sample import write_catalogue, write_night

    output.note("Making the sample consortium: its catalogue and one night of deliveries ...")
    sample = settings.home / "sample"
    catalogue = list(write_catalogue(sample / "catalogue", SEED))
    night: dict[str, list[Path]] = {}
    for supplier, path, _ in write_night(Path(settings.landing_url) / "incoming", SEED, manifest=sample / "night.json"):
        night.setdefault(supplier, []).append(path)
    return catalogue, night


def _run_night(
    settings: Settings, output: Output, catalogue: list[Path], night: dict[str, list[Path]]
) -> tuple[list[int], int]:
    """Load the catalogue, then each supplier's deliveries; what fails for one supplier stops no other."""
    output.note("Loading the union catalogue ...")
    uris = adopted(settings, catalogue, "catalogue")
    run_flow("catalogue_load", "catalogue_load", uris=uris, mode="delta", dry_run=False)
    ids: list[int] = []
    code = DONE
    for supplier, summaries in _suppliers(settings, output, night):
        if isinstance(summaries, Exception):
            output.note(f"{supplier} failed:")
            code = report_failure(summaries, as_json=False)
        else:
            ids += [each.delivery_id for each in summaries]
    output.note("Making the Data Docs ...")
    run_flow("data_docs", "data_docs")
    output.note("Sending the local systems what is theirs ...")
    run_flow("local_export", "local_export")
    return ids, code


def _suppliers(settings: Settings, output: Output, night: dict[str, list[Path]]) -> Iterator[tuple[str, Any]]:
    for supplier, paths in night.items():
        output.note(f"{supplier}: {len(paths)} {'file' if len(paths) == 1 else 'files'} ...")
        try:
            uris = adopted(settings, paths, supplier)
            flow = ("supplier_ingest", "supplier_ingest")
            yield supplier, run_flow(*flow, supplier=supplier, uris=uris, dry_run=False, again=False)
        except Exception as error:
            yield supplier, error


def _where_to_look(settings: Settings, address: ServerAddress) -> dict[str, str]:
    cases, page, rows = write_worklist(settings)
    return {
        "home": str(settings.home),
        "e-mails": str(settings.outbox),
        f"worklist, {cases} to decide": str(page),
        "worklist to fill in": str(rows),
        "files for local systems": str(Path(settings.landing_url) / "exports"),
        "data docs": str(settings.data_docs / "index.html"),
        "Prefect UI": address.ui_url,
        "what was planned to happen": str(settings.home / "sample" / "night.json"),
    }


def _render(
    console: Console,
    told: Told,
    people: tuple[list[PatronSummary], AccountNight],
    settings: Settings,
    where: dict[str, str],
    own: list[str],
) -> None:
    render_deliveries(console, told, settings, None)
    render_files(console, people[0])
    render_accounts(console, people[1])
    prose(console, "", "Where to look:", *(f"  {name:28} {path}" for name, path in where.items()))
    prose(console, "", *how_to_go_on(settings, own))


def how_to_go_on(settings: Settings, own: list[str]) -> list[str]:
    """What to type next. The person's own settings are put away first: a command must not meet their warehouse."""
    put_away = [name for name in own if name not in ("SAMKAT_HOME", "SAMKAT_TODAY")]
    return [
        "Go on in this home:",
        *([f"  unset {' '.join(put_away)}"] if put_away else []),
        f"  export SAMKAT_HOME={settings.home} SAMKAT_TODAY={settings.business_date()}",
        "  samkat status;  samkat review list;  samkat plans list;  samkat server stop",
    ]
