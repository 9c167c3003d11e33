"""No password leaves the environment: a night with marked ones, and with wrong ones, then every place is searched.

Searched are both databases as a whole (Prefect's: logs, parameters, states, artifacts, events, deployments; the
warehouse), every file of HOME, of Prefect's home and of the workers, the landing zone, each e-mail, what commands said
and the command lines of processes. (A home with a server of its own keeps its login in one file of mode 0600:
test_local_server.py.)
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from deployments.sample.night import write_night
from tests.integration.servers import (
    ROOT,
    Postgres,
    PrefectServer,
    Production,
    free_port,
    production_home,
    running_prefect,
    wait_until,
)
from tests.object_store import SECRET_KEY, ObjectStore

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

GOOD = ROOT / "tests" / "data" / "incoming" / "NORDBOK" / "NORDBOK_20250314180456_dagfil.mrc"
OTHER = GOOD.with_name("NORDBOK_20250314182440_marc8.mrc")


class GuardedInbox:
    """A mail server that asks for a log-in, and keeps what it got."""

    def __init__(self, password: str) -> None:
        self.messages: list[bytes] = []
        self._password = password.encode()
        self._server = Controller(
            self, hostname="127.0.0.1", port=free_port(), auth_required=True, auth_require_tls=False,
            authenticator=self._admit, ready_timeout=30,
        )  # fmt: skip

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.port}"

    def _admit(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        return AuthResult(success=given.password == self._password, handled=False)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (the server's name)
        self.messages.append(envelope.content)
        return "250 OK"

    @contextmanager
    def open(self) -> Iterator[GuardedInbox]:
        self._server.start()
        try:
            yield self
        finally:
            self._server.stop(no_assert=True)


@dataclass
class Marked:
    """An installation whose every password can be recognised."""

    production: Production
    inbox: GuardedInbox
    store: ObjectStore
    bucket: str
    marks: dict[str, str]
    said: list[str] = field(default_factory=list)
    command_lines: list[str] = field(default_factory=list)

    def land(self, supplier: str, file: Path) -> str:
        """A file into the landing zone; returns its URI."""
        key = f"zone/incoming/{supplier}/{file.name}"
        self.store.client().put_object(Bucket=self.bucket, Key=key, Body=file.read_bytes())
        return f"s3://{self.bucket}/{key}"

    def run(self, flow: str, parameters: dict[str, Any], queue: str, *endings: str) -> str:
        """A run on the worker of a queue, to its end; returns its id."""
        server = self.production.server
        found = server.ask(f"/deployments/name/{flow}/{flow}")
        body = {"parameters": parameters, "work_queue_name": queue}
        run_id = server.ask(f"/deployments/{found['id']}/create_flow_run", body)["id"]

        def ended() -> bool:
            self.look_at_processes()
            return str(server.ask(f"/flow_runs/{run_id}")["state"]["name"]) in endings

        wait_until(ended, 120, f"the run of {flow} on {queue} has ended {endings}", 0.5)
        return str(run_id)

    def look_at_processes(self) -> None:
        """Note the command lines of this installation's processes: everybody on the machine can read them."""
        for each in psutil.process_iter():
            try:
                if each.environ().get("SAMKAT_HOME") == str(self.production.home):
                    self.command_lines.append(" ".join(each.cmdline()))
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue

    def say(self, *command: str, **other: str) -> int:
        """A command, with other settings; what it says is noted."""
        kept, self.production.environment = self.production.environment, self.production.environment | other
        try:
            done = self.production.samkat(*command)
        finally:
            self.production.environment = kept
        self.said += [done.out, done.err]
        return done.code


@pytest.fixture(scope="module")
def marked(postgres: Postgres, object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marked]:
    """Each password is one that stands nowhere else. The right ones and the wrong ones are all marked."""
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "server").mkdir()
    made = {
        name: f"mark{secrets.token_hex(8)}" for name in ("mail", "login", "wrong-warehouse", "wrong-mail", "wrong-s3")
    }
    marks = made | {"warehouse": postgres.password, "s3": SECRET_KEY}
    login = f"samkat:{marks['login']}"
    guarded = {"PREFECT_SERVER_API_AUTH_STRING": login, "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true"}
    bucket, inbox = object_store.new_bucket(), GuardedInbox(marks["mail"])
    settings = object_store.environment | {
        "SAMKAT_LANDING_URL": f"s3://{bucket}/zone",
        "SAMKAT_SMTP_URL": f"smtp://drift:{marks['mail']}@{inbox.address}",
    }
    with (
        inbox.open(),
        running_prefect(folder / "server", postgres, guarded) as server,
        production_home(folder, postgres, server, **settings) as production,
    ):
        marked = Marked(production, inbox, object_store, bucket, marks)
        assert marked.say("deployments", "apply") == 0
        for each in server.ask("/deployments/filter", {}):
            server.ask(f"/deployments/{each['id']}/pause_deployment", {})
        yield marked


def with_wrong(marked: Marked, what: str) -> dict[str, str]:
    """The settings of a worker or command whose password for this is wrong."""
    url = sa.make_url(marked.production.warehouse_url).set(password=marked.marks["wrong-warehouse"])
    return {
        "warehouse": {"SAMKAT_WAREHOUSE_URL": url.render_as_string(hide_password=False)},
        "mail": {"SAMKAT_SMTP_URL": f"smtp://drift:{marked.marks['wrong-mail']}@{marked.inbox.address}"},
        "s3": {"AWS_SECRET_ACCESS_KEY": marked.marks["wrong-s3"]},
    }[what]


def live(marked: Marked, folder: Path) -> None:
    """What happens in nights: loaded, held, failed, told, refused by each server, asked by commands."""
    production = marked.production
    production.start_worker(queue="default")  # without a queue it would take the runs of all of them
    held = next(path for _, path, _ in write_night(folder, 1) if path.name.endswith("utan-isbn.mrc"))
    good = marked.land("NORDBOK", GOOD)
    marked.run("supplier-ingest", {"supplier": "NORDBOK", "uris": [good]}, "default", "Completed")
    held_uri = marked.land("FORHAND", held)
    marked.run("supplier-ingest", {"supplier": "FORHAND", "uris": [held_uri]}, "default", "Held")
    failed = {}
    for what in ("warehouse", "s3"):
        production.start_worker(queue=what, **with_wrong(marked, what))
        asked = {"supplier": "NORDBOK", "uris": [marked.land("NORDBOK", OTHER)]}
        failed[what] = marked.run("supplier-ingest", asked, what, "Failed")
    production.start_worker(queue="mail", SAMKAT_DEBUG="true", **with_wrong(marked, "mail"))
    other = marked.land("NORDBOK", OTHER)
    marked.run("supplier-ingest", {"supplier": "NORDBOK", "uris": [other]}, "mail", "Completed")
    for flow in ("landing-sweep", "nightly-overview", "feed-watch"):
        marked.run(flow, {}, "default", "Completed")

    def told() -> bool:
        return all(any(run_id.encode() in each for each in marked.inbox.messages) for run_id in failed.values())

    wait_until(told, 90, "the operator was told of both failures", 1)
    assert marked.say("status") == 0
    assert marked.say("data-docs") == 0
    for what in ("warehouse", "s3"):
        # With tracebacks, which say the most.
        assert marked.say("sweep", "--here", SAMKAT_DEBUG="true", **with_wrong(marked, what)) != 0
    assert marked.say("status", **with_wrong(marked, "warehouse")) != 0


def places(marked: Marked, postgres: Postgres) -> Iterator[tuple[str, bytes]]:
    """Every place where somebody could read something later."""
    server = marked.production.server
    yield "Prefect's database", postgres.dumped(database_of(server))
    yield "warehouse", postgres.dumped(str(sa.make_url(marked.production.warehouse_url).database))
    for folder in (marked.production.home.parent, marked.store.folder / marked.bucket):
        for path in folder.rglob("*"):
            if path.is_file():
                yield str(path), path.read_bytes()
    yield from ((f"e-mail {number}", each) for number, each in enumerate(marked.inbox.messages))
    yield from (("said by a command", each.encode()) for each in marked.said)
    yield "command lines", "\n".join(marked.command_lines).encode()


def database_of(server: PrefectServer) -> str:
    return server.database_url.rpartition("/")[2]


def test_no_password_is_written_anywhere(
    marked: Marked, postgres: Postgres, tmp_path: Path, figures: list[str]
) -> None:
    live(marked, tmp_path)
    forms = {name: (mark.encode(), base64.b64encode(mark.encode()).rstrip(b"=")) for name, mark in marked.marks.items()}
    forms["login as a header"] = (base64.b64encode(f"samkat:{marked.marks['login']}".encode()),)
    searched, size, found = 0, 0, []
    for place, content in places(marked, postgres):
        searched, size = searched + 1, size + len(content)
        found += [(place, name) for name, some in forms.items() if any(each in content for each in some)]
    figures.append(f"secrets: {searched} places, {size / 2**20:.1f} MiB searched for {len(forms)} passwords")
    assert found == []
    # The search would find something: the names beside the passwords are there.
    everything = b"".join(content for _, content in places(marked, postgres))
    assert b"utan-isbn" in everything
    assert len(marked.inbox.messages) > 3
    assert any("deployments" in each or "prefect" in each for each in marked.command_lines)
