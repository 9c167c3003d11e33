"""`samkat demo` as a newcomer runs it: one command, a fresh home, and what it says is what the warehouse has."""

from __future__ import annotations

import csv
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.summaries import BIB_COUNTS, HOLDING_COUNTS
from schemas.warehouse.core import core_notice, core_run
from tasks.warehouse.engine import Warehouse, connect
from tests.integration.commands import Done, environment_of, samkat

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

FILES_OF_THE_NIGHT = 57
RESENT = 1
REVIEWS = 11
LIBRARIES_THAT_ARE_TOLD = 10


@dataclass(frozen=True)
class Demo:
    """The home that the demonstration made, and what it said."""

    home: Path
    environment: dict[str, str]
    done: Done

    @property
    def said(self) -> dict[str, Any]:
        return self.done.document()

    def where(self, start: str) -> str:
        """Where to look for what begins so."""
        return next(str(path) for name, path in self.said["where_to_look"].items() if name.startswith(start))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, figures: list[str]) -> Iterator[Demo]:
    """One demonstration; its server is stopped after the tests. The person's own settings must play no part in it."""
    folder = tmp_path_factory.mktemp("demo")
    home = folder / "trial"
    own = environment_of(folder / "own", SAMKAT_REGISTER=str(folder / "none"))
    done = samkat(own, "demo", "--home", str(home), "--json")
    environment = environment_of(home)
    try:
        figures.append(f"samkat demo: {done.wall_seconds:.0f} s ({done.cpu_seconds:.0f} s of its processor)")
        assert not (folder / "own").exists()
        yield Demo(home, environment, done)
    finally:
        samkat(environment, "server", "stop")


@pytest.fixture
def warehouse(demo: Demo) -> Iterator[Warehouse]:
    opened = connect(f"sqlite:///{demo.home / 'warehouse.db'}")
    yield opened
    opened.dispose()


def rows(warehouse: Warehouse, statement: str) -> list[dict[str, Any]]:
    with warehouse.read() as connection:
        return [dict(row._mapping) for row in connection.exec_driver_sql(statement)]


def test_the_demonstration_ends_well_and_says_so_in_one_document(demo: Demo) -> None:
    assert demo.done.code == 0, demo.done.err
    assert len(demo.said["deliveries"]) == FILES_OF_THE_NIGHT - RESENT
    assert f"The demonstration lives in {demo.home}" in demo.done.err
    assert "Traceback" not in demo.done.err


def test_what_it_says_is_what_the_warehouse_has(demo: Demo, warehouse: Warehouse) -> None:
    ledger = {row["delivery_id"]: row for row in rows(warehouse, "SELECT * FROM out_delivery WHERE kind = 'supplier'")}
    assert {each["delivery_id"] for each in demo.said["deliveries"]} == set(ledger)
    for each in demo.said["deliveries"]:
        row = ledger[each["delivery_id"]]
        assert (each["state"], each["sender"]) == (row["state"], row["sender"])
        assert each["counts"] == {name: row[name] for name in each["counts"]}
    reasons = sum(each["number"] for each in demo.said["reasons"])
    pieces = rows(warehouse, "SELECT count(*) AS n FROM out_record r JOIN out_delivery d USING (delivery_id)"
                             " WHERE d.kind = 'supplier' AND r.outcome IS NOT NULL")  # fmt: skip
    assert reasons == pieces[0]["n"] > 300


def test_every_delivery_adds_up(demo: Demo) -> None:
    settled = [each["counts"] for each in demo.said["deliveries"] if each["state"] != "held"]
    assert len(settled) >= 54
    for counts in settled:
        assert counts["bibs_read"] == sum(counts[f"bibs_{name}"] for name in BIB_COUNTS[1:])
        assert counts["holdings_read"] == sum(counts[f"holdings_{name}"] for name in HOLDING_COUNTS[1:])
    states = [each["state"] for each in demo.said["deliveries"]]
    assert {state: states.count(state) for state in set(states)} == {"settled": 50, "rejected": 5, "held": 1}


def test_every_e_mail_was_written_once(demo: Demo, warehouse: Warehouse) -> None:
    with warehouse.read() as connection:
        notices = connection.execute(sa.select(core_notice.c.state, core_notice.c.kind, core_notice.c.recipient)).all()
    assert {each.state for each in notices} == {"sent"}
    assert len(list(Path(demo.where("e-mails")).glob("*.eml"))) == len(notices)
    assert len({each.recipient for each in notices if each.kind == "digest"}) >= LIBRARIES_THAT_ARE_TOLD
    assert {"digest", "rejects", "held"} <= {each.kind for each in notices}


def test_the_worklist_the_data_docs_and_the_ui_are_where_it_says(demo: Demo) -> None:
    assert f"worklist, {REVIEWS} to decide" in demo.said["where_to_look"]
    page = Path(demo.where("worklist,")).read_text("utf-8")
    assert "</html>" in page
    with Path(demo.where("worklist to fill in")).open(newline="", encoding="utf-8-sig") as file:
        listed = {row["review_id"] for row in csv.DictReader(file, delimiter=";")}
    assert len(listed) == REVIEWS
    assert "</html>" in Path(demo.where("data docs")).read_text("utf-8")
    assert json.loads(Path(demo.where("what was planned")).read_text("utf-8"))["seed"] == 1
    with urllib.request.urlopen(demo.where("Prefect UI"), timeout=30) as answer:
        assert b"<title>Prefect Server</title>" in answer.read()


def test_every_run_was_recorded_and_the_next_commands_work_in_that_home(demo: Demo, warehouse: Warehouse) -> None:
    with warehouse.read() as connection:
        runs = connection.execute(sa.select(core_run.c.flow, core_run.c.state)).all()
    ran = {each.flow for each in runs}
    assert {"catalogue-load", "data-docs", "supplier-ingest", "local-export", "patron-sync", "plan-decide"} <= ran
    assert {each.state for each in runs} == {"done", "held"}
    reviews = samkat(demo.environment, "review", "list", "--json")
    assert (reviews.code, len(reviews.document()["reviews"])) == (0, REVIEWS)
    plans = samkat(demo.environment, "plans", "list", "--json")
    held = {(each["flow"], each["class"]) for each in plans.document()["plans"]}
    assert plans.code == 0
    assert {("supplier-ingest", "holding_delete"), ("supplier-ingest", "quality:isbn")} <= held
    assert {("patron-sync", "file:manifest"), ("patron-sync", "clear")} <= held


def test_the_night_of_persons_ends_as_the_sample_says(demo: Demo, warehouse: Warehouse) -> None:
    files = {each["source"]: each for each in demo.said["persons"]}
    assert {source: each["state"] for source, each in files.items()} == {
        "NORUPERS": "settled", "SJUKHUS": "settled", "VESTSTUD": "held", "FJORKOMM": "settled",
    }  # fmt: skip
    assert files["FJORKOMM"]["held"] == {"clear": 14}
    (patrons,) = rows(warehouse, "SELECT count(*) AS n FROM out_patron")
    assert patrons["n"] > 900


def test_the_status_of_that_home_names_what_waits(demo: Demo) -> None:
    status = samkat(demo.environment, "status", "--json").document()["overview"]
    assert (status["reviews"]["number"], status["notices"]["number"]) == (REVIEWS, 0)


def test_a_home_that_is_not_empty_is_refused(demo: Demo) -> None:
    again = samkat(demo.environment, "demo", "--home", str(demo.home))
    assert (again.code, "is not empty" in again.err) == (2, True)
