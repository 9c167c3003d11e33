"""A night on real servers: several suppliers' deliveries on S3, warehouse on PostgreSQL, mail by SMTP, a worker.

What belongs here is making a night, starting it, and what it left behind; what disturbs it is its test's affair.
"""

from __future__ import annotations

import email
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from aiosmtpd.controller import Controller

from deployments.sample.bench import write_bench_delivery, write_small_files
from schemas.warehouse.core import core_notice, core_run, core_turn
from schemas.warehouse.raw import raw_delivery, raw_progress
from tests.integration.servers import ROOT, Postgres, PrefectServer, Production, free_port, production_home
from tests.object_store import ObjectStore
from tests.warehouse.pipeline import catalogue_content, ledger_facts, outcomes

BIBS, HOLDINGS = 500, 750
SMALL_FILES = 30
BIBS_A_FILE = 2
SEED = 3
ZONE = "night"
SAMPLE = next((ROOT / "tests" / "data" / "incoming" / "MEDIAT").iterdir())
LANDED_AT = 1_741_975_200
"""An hour of the sample's evening, in seconds: what was dropped long ago is whole."""


class Inbox:
    """A mail server on a port that it keeps. Every message that it said 250 to is in `messages`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.messages: list[tuple[str, str, str]] = []
        """(Message-ID, recipient, subject) in the order in which they came."""
        self.raw: list[bytes] = []
        self.seconds_a_message = 0.0
        self._server: Controller | None = None

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (the server's name)
        # Slow as a server on the network is: so it can be stopped between two messages.
        time.sleep(self.seconds_a_message)
        message = email.message_from_bytes(envelope.content)
        self.raw.append(envelope.content)
        self.messages += [(message["Message-ID"], each, str(message["Subject"])) for each in envelope.rcpt_tos]
        return "250 OK"

    def start(self) -> None:
        """Listen."""
        self._server = Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=30)
        self._server.start()

    def stop(self) -> None:
        """Stop listening, and break off who is connected."""
        if self._server is not None:
            self._server.stop(no_assert=True)
            self._server = None


@dataclass(eq=False)
class Night:
    """One night: a home of its own, with its bucket, inbox, warehouse and worker."""

    name: str
    production: Production
    inbox: Inbox
    uris: dict[str, list[str]]
    """Files in the landing zone, by supplier."""
    runs: dict[str, str] = field(default_factory=dict)
    """Id of each supplier's run."""

    def __post_init__(self) -> None:
        self.warehouse = self.production.connected()

    def begin(self) -> None:
        """Start a worker, and a run of each supplier's deliveries on it."""
        self.production.start_worker(queue=self.name)
        self.runs = {
            supplier: self.start("supplier-ingest", {"supplier": supplier, "uris": uris})
            for supplier, uris in self.uris.items()
        }

    def start(self, flow: str, parameters: dict[str, Any]) -> str:
        """Start a run of a deployment for this night's worker; returns its id."""
        server = self.production.server
        found = server.ask(f"/deployments/name/{flow}/{flow}")
        body = {"parameters": parameters, "work_queue_name": self.name}
        return str(server.ask(f"/deployments/{found['id']}/create_flow_run", body)["id"])

    def state_of(self, run_id: str) -> str:
        """Name of the state of a run."""
        return str(self.production.server.ask(f"/flow_runs/{run_id}")["state"]["name"])

    def states_of(self, run_id: str) -> list[str]:
        """Names of the states that a run went through, a bad one with its message."""
        found = self.production.server.ask(f"/flow_run_states/?flow_run_id={run_id}")
        return [
            f"{each['name']} ({each['message']})" if each["type"] in ("FAILED", "CRASHED") else str(each["name"])
            for each in sorted(found, key=lambda each: each["timestamp"])
        ]

    def has_ended(self, *run_ids: str) -> bool:
        """Whether these runs, all where none is named, have ended one way or the other.

        Crashed is no end: a run is called that when nothing was heard of it, and it may live, or be taken up again.
        """
        return all(
            self.state_of(each) in ("Completed", "Failed", "Held", "Passed", "TimedOut")
            for each in run_ids or self.runs.values()
        )

    def task_runs(self) -> list[dict[str, Any]]:
        """Runs of the stages, as the UI shows them."""
        body = {"flow_runs": {"id": {"any_": list(self.runs.values())}}}
        return list(self.production.server.ask("/task_runs/filter", body))

    def waits_to_retry(self) -> bool:
        """Whether the UI shows a stage that waits to be tried again."""
        return any(each["state_name"] == "AwaitingRetry" for each in self.task_runs())

    def reached(self, stage: str) -> int:
        """The furthest position of any delivery in a stage."""
        return int(
            self._scalar(sa.select(sa.func.max(raw_progress.c.reached)).where(raw_progress.c.stage == stage)) or 0
        )

    def received(self) -> int:
        """How many deliveries are in the ledger."""
        return int(self._scalar(sa.select(sa.func.count()).select_from(raw_delivery)))

    def content(self) -> tuple[Any, ...]:
        """What the warehouse says, without surrogate ids and instants."""
        return catalogue_content(self.warehouse), outcomes(self.warehouse), ledger_facts(self.warehouse)

    def states(self) -> Counter[str]:
        """Deliveries by their state."""
        return Counter(self._column(raw_delivery.c.state))

    def notices(self) -> Counter[str]:
        """The outbox, messages by their state."""
        return Counter(self._column(core_notice.c.state))

    def told(self) -> list[tuple[str, str]]:
        """(recipient, subject) of every message of the outbox."""
        with self.warehouse.read() as connection:
            rows = connection.execute(sa.select(core_notice.c.recipient, core_notice.c.subject))
            return sorted((str(row[0]), str(row[1])) for row in rows)

    def runs_noted(self) -> Counter[str]:
        """The runs in `core_run` by their state."""
        return Counter(self._column(core_run.c.state))

    def turns(self) -> list[str]:
        """Subjects whose turn was not given back."""
        return self._column(core_turn.c.subject)

    def _column(self, column: sa.Column[str]) -> list[str]:
        with self.warehouse.read() as connection:
            return list(connection.execute(sa.select(column)).scalars())

    def _scalar(self, statement: sa.Select[Any]) -> Any:
        with self.warehouse.read() as connection:
            return connection.execute(statement).scalar()


@contextmanager
def night(
    name: str, folder: Path, postgres: Postgres, server: PrefectServer, store: ObjectStore, **settings: str
) -> Iterator[Night]:
    """A night whose files have landed and wait."""
    inbox, bucket = Inbox(), store.new_bucket()
    inbox.start()
    given = store.environment | {
        "SAMKAT_LANDING_URL": f"s3://{bucket}/{ZONE}",
        "SAMKAT_SMTP_URL": f"smtp://127.0.0.1:{inbox.port}",
        "SAMKAT_CHUNK_RECORDS": "20",
    }
    (folder / name).mkdir()
    try:
        with production_home(folder / name, postgres, server, **(given | settings)) as production:
            made = Night(name, production, inbox, _landed(store, bucket, folder / name))
            yield made
            made.warehouse.dispose()
    finally:
        inbox.stop()


def _landed(store: ObjectStore, bucket: str, folder: Path) -> dict[str, list[str]]:
    """Three suppliers' files, of books that are not the same, so that it does not matter who comes first."""
    large = folder / "NORDBOK_20250314180000_dagfil.mrc"
    write_bench_delivery(large, BIBS, SEED, 0, 0.0)
    (folder / "small").mkdir()
    # Past the control numbers of the large file: a number that both have is a doubt, whoever comes first.
    past = BIBS // BIBS_A_FILE
    small = write_small_files(folder / "small", past + SMALL_FILES, SEED, 10_000, 0.0, BIBS_A_FILE)[past:]
    small = [each.rename(folder / each.name.replace("NORDBOK", "FORHAND")) for each in small]
    uris = {}
    for supplier, files in (("NORDBOK", [large]), ("FORHAND", small), ("MEDIAT", [SAMPLE])):
        for each in files:
            store.client().put_object(
                Bucket=bucket, Key=f"{ZONE}/incoming/{supplier}/{each.name}", Body=each.read_bytes(),
                Metadata={"mtime": str(LANDED_AT)},
            )  # fmt: skip
        uris[supplier] = [f"s3://{bucket}/{ZONE}/incoming/{supplier}/{each.name}" for each in files]
    return uris
