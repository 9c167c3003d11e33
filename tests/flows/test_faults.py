"""What passes is tried again, what is wrong is not: real faults of the database, the file store and the register."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller

from config.settings import SAMPLE_REGISTER
from flows.supplier_ingest import supplier_ingest
from schemas.errors import ConfigurationError, SamkatError
from schemas.warehouse.core import core_notice, core_outcome, core_run
from schemas.warehouse.raw import raw_delivery, raw_record
from tasks.catalogue import stages as catalogue
from tasks.landing.stages import receive
from tasks.matching.stages import match_on_isbn
from tasks.quality.stages import check_deliveries
from tasks.warehouse.engine import CATALOGUE_LOCK, Warehouse, connect
from tasks.workplace import Workplace
from tests.flows.runs import StageRun, run
from tests.warehouse.pipeline import land

PATIENCE_SECONDS = 60
WAITING_FOR_A_LOCK = sa.text(
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'samkat' AND wait_event_type = 'Lock'"
    " AND datname = current_database()"
)
TITLES_OF_THE_DAY_FILE = (
    "Sommaren i Grönsund",
    "Den siste klokka",
    "The road to Quillbury",
    "Søstrene og uret",
    "Vägen till Ränneby",
    "Den sidste åen",
    "Fortællingen om uret",
)

Night = dict[str, Path]


class Inbox:
    """A mail server's handler that notes to whom a message came."""

    def __init__(self) -> None:
        self.recipients: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (the server's name)
        self.recipients += envelope.rcpt_tos
        return "250 OK"


def landed(home: Workplace, file: Path) -> str:
    return land(home, file.parent.name, file.name, file.read_bytes())


def scalar(warehouse: Warehouse, statement: sa.Executable) -> Any:
    """The statement's value, in a transaction of its own: PostgreSQL shows its activity as of a transaction's start."""
    with warehouse.read() as connection:
        return connection.execute(statement).scalar()


@contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Do something in another thread while the body runs."""
    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def awaited(look: Callable[[], object]) -> object:
    """What `look` returns once that is something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("what was waited for did not come")


@contextmanager
def catalogue_lock(other: Warehouse) -> Iterator[None]:
    """Holds the lock that every writer of the catalogue waits for."""
    with other.write(CATALOGUE_LOCK):
        yield


@contextmanager
def locked_records(other: Warehouse) -> Iterator[None]:
    """Holds a lock on `raw_record` that a COPY into it waits for."""
    with other.write() as connection:
        connection.execute(sa.text("LOCK TABLE raw_record IN EXCLUSIVE MODE"))
        yield


@pytest.mark.parametrize("warehouse_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("stage", "hold", "disturb", "error"),
    [
        ("load bibs", catalogue_lock, sa.func.pg_terminate_backend, "terminating connection due to administrator"),
        ("stage records", locked_records, sa.func.pg_cancel_backend, "canceling statement due to user request"),
    ],
    ids=["connection cut", "copy cancelled"],
)
def test_a_stage_that_the_database_disturbs_is_tried_again_and_does_nothing_twice(
    home: Workplace,
    night: Night,
    stage: str,
    hold: Callable[[Warehouse], AbstractContextManager[None]],
    disturb: Callable[[object], Any],
    error: str,
) -> None:
    """The stage waits for a lock that another session holds, when an administrator ends its session or statement."""
    other = connect(home.settings.warehouse_url.get_secret_value())
    lock_is_held = threading.Event()

    def administer() -> None:
        with hold(other):
            lock_is_held.set()
            pid = awaited(lambda: scalar(other, WAITING_FOR_A_LOCK))
            assert scalar(other, sa.select(disturb(pid))) is True

    with meanwhile(administer):
        assert lock_is_held.wait(PATIENCE_SECONDS)
        ran = run(supplier_ingest, "NORDBOK", [landed(home, night["dagfil"])])
    other.dispose()
    assert [(each.state, each.bibs["created"], each.holdings["created"]) for each in ran.value] == [("settled", 7, 9)]
    tried = {each.name: each.tries for each in ran.stages("summarise")}
    assert {name: tries for name, tries in tried.items() if tries != 1} == {stage: 2}
    log = ran.log("summarise:")
    assert error in log
    assert "Retry 1/8 will start" in log


@pytest.mark.parametrize("warehouse_url", ["sqlite"], indirect=True)
def test_a_mail_server_that_is_away_for_a_moment_is_waited_for(
    home: Workplace, night: Night, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("SAMKAT_SMTP_URL", f"smtp://127.0.0.1:{port}")
    server = Controller(Inbox(), hostname="127.0.0.1", port=port)

    def come_back() -> None:
        awaited(lambda: "Retry 1/2" in caplog.text)
        server.start()

    try:
        with meanwhile(come_back):
            ran = run(supplier_ingest, "NORDBOK", [landed(home, night["dagfil"])])
    finally:
        server.stop(no_assert=True)
    assert [each.state for each in ran.value] == ["settled"]
    tried = {each.name: each.tries for each in ran.stages("summarise")}
    assert {name: tries for name, tries in tried.items() if tries != 1} == {"send notices": 2}
    with home.warehouse.read() as connection:
        expected = connection.execute(sa.select(core_notice.c.recipient)).scalars().all()
    assert len(expected) == 7
    assert sorted(server.handler.recipients) == sorted(expected)


@pytest.mark.parametrize("warehouse_url", ["sqlite"], indirect=True)
def test_a_wrong_register_is_not_tried_again(
    home: Workplace, night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = landed(home, night["dagfil"])
    register = shutil.copytree(SAMPLE_REGISTER, tmp_path / "register")
    with (register / "matching.toml").open("a") as file:
        file.write("\n[weight]\nisbn_shared = 0.75\n")  # weights is the name
    monkeypatch.setenv("SAMKAT_REGISTER", str(register))
    ran = run(supplier_ingest, "NORDBOK", [uri])
    with pytest.raises(ConfigurationError, match=r"matching\.toml.*weight"):
        ran.state.result()
    assert ran.stages("receive") == [StageRun("receive", "Failed", 1)]
    with home.warehouse.read() as connection:
        assert connection.execute(sa.select(core_run.c.state)).scalar_one() == "failed"
        assert connection.execute(sa.select(sa.func.count()).select_from(raw_delivery)).scalar_one() == 0


def test_a_delivery_that_does_not_add_up_fails_the_run_and_is_neither_told_nor_settled(
    home: Workplace, night: Night
) -> None:
    (delivery_id,) = receive.fn("NORDBOK", [landed(home, night["dagfil"])])
    for stage in (
        catalogue.stage_records.fn,
        check_deliveries.fn,
        match_on_isbn.fn,
        catalogue.load_bibs.fn,
        catalogue.load_holdings.fn,
    ):
        stage([delivery_id])
    with home.warehouse.write() as connection:
        lost = sa.delete(core_outcome).where(core_outcome.c.record_type == "holding", core_outcome.c.position == 2)
        assert connection.execute(lost).rowcount == 1
    ran = run(supplier_ingest, "NORDBOK", [landed(home, night["packat"])])
    with pytest.raises(SamkatError, match=f"delivery {delivery_id} .* is loaded, stopped by an error"):
        ran.state.result()
    assert {each.name: each.tries for each in ran.stages("summarise")}["prove conservation"] == 1
    with home.warehouse.read() as connection:
        states = connection.execute(sa.select(raw_delivery.c.state).order_by(raw_delivery.c.delivery_id)).scalars()
        assert list(states) == ["loaded", "settled"]
        assert connection.execute(sa.select(core_run.c.state)).scalar_one() == "failed"
        told = connection.execute(sa.select(core_notice.c.delivery_id).distinct()).scalars()
        assert delivery_id not in set(told)


def test_an_error_of_the_database_is_logged_without_the_records_it_was_about(home: Workplace, night: Night) -> None:
    (delivery_id,) = receive.fn("NORDBOK", [landed(home, night["dagfil"])])
    there = {"delivery_id": delivery_id, "position": 2, "member_no": 0, "byte_offset": 0, "record_type": "bib"}
    with home.warehouse.write() as connection:
        connection.execute(sa.insert(raw_record).values(**there, charset="utf-8", content=b""))
    ran = run(supplier_ingest, "NORDBOK", [])
    with pytest.raises(SamkatError, match=r"IntegrityError|UniqueViolation") as stopped:
        ran.state.result()
    log = ran.log("summarise")
    assert "Traceback" in log
    assert "raw_record" in log
    said = log + str(stopped.value) + "".join(ran.artifacts().values())
    assert [each for each in TITLES_OF_THE_DAY_FILE if each in said] == []
