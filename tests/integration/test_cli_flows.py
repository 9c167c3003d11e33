"""The command line with real flows: one server for many commands, one JSON document each, and the right exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.settings import SAMPLE_REGISTER
from deployments.sample import SAMPLE_NIGHT, write_night
from schemas.marc import Record, control_field, data_field
from tasks.marc.encode import encode
from tests.unit.library_samples import PUBLIC, changed

pytestmark = pytest.mark.integration


class Samkat:
    """Runs commands in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SAMKAT_"))}
        settings = {"SAMKAT_HOME": str(home), "SAMKAT_TODAY": SAMPLE_NIGHT.isoformat(), "SAMKAT_DATA_DOCS": "off"}
        self.environment = kept | settings

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [Path(sys.executable).parent / "samkat", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
        )

    def json(self, code: int, *arguments: str | Path) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def samkat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samkat]:
    """A home with a warehouse; its server goes when the tests are done."""
    samkat = Samkat(tmp_path_factory.mktemp("samkat") / "home")
    assert samkat.run("init").returncode == 0
    yield samkat
    samkat.run("server", "stop")


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sample night's files by name, outside of the landing zone."""
    folder = tmp_path_factory.mktemp("night")
    return {path.name: path for _, path, _ in write_night(folder, 1)}


def test_the_first_command_starts_the_server_and_says_so_the_next_ones_use_it(
    samkat: Samkat, night: dict[str, Path]
) -> None:
    first = samkat.run("ingest", night["NORDBOK_20250314180456_dagfil.mrc"], "--supplier", "NORDBOK", "--json")
    assert first.returncode == 0, first.stderr
    assert f"Starting a Prefect server for {samkat.home} in the background" in first.stderr
    (delivery,) = json.loads(first.stdout)["deliveries"]
    assert (delivery["state"], delivery["counts"]["bibs_read"], delivery["counts"]["bibs_created"]) == ("settled", 7, 7)

    again = samkat.run("ingest", night["NORDBOK_20250314180456_dagfil.mrc"], "--supplier", "NORDBOK")
    assert again.returncode == 0, again.stderr
    assert "Starting" not in again.stderr
    assert "came before: no effect" in again.stdout
    assert samkat.json(0, "server", "status")["state"] == "running"


def test_stages_leave_one_line_each_on_stderr_and_prefect_is_silent(samkat: Samkat, night: dict[str, Path]) -> None:
    done = samkat.run("ingest", night["NORDBOK_20250314180801_packat.mrc.gz"], "--supplier", "NORDBOK")
    assert done.returncode == 0, done.stderr
    assert "load bibs: " in done.stderr
    assert "Finished in state" not in done.stderr
    assert "The run: http://127.0.0.1:" in done.stdout


def test_a_rejected_file_ends_with_4_and_says_why(samkat: Samkat, night: dict[str, Path]) -> None:
    document = samkat.json(4, "ingest", night["NORDBOK_20250314183050_tom.mrc"], "--supplier", "NORDBOK")
    assert document["deliveries"][0]["state"] == "rejected"
    assert "the file is empty" in document["deliveries"][0]["hold_reason"]


def test_a_dry_run_settles_nothing(samkat: Samkat, night: dict[str, Path]) -> None:
    path = night["MEDIAT_SOLB_20250314180533_MEDIATSOLB.iso88591"]
    document = samkat.json(0, "ingest", path, "--supplier", "MEDIAT", "--dry-run")
    assert document["deliveries"][0]["is_preview"]
    assert document["deliveries"][0]["counts"]["bibs_created"] == 3
    names = [each["name"] for each in samkat.json(0, "status")["overview"]["newest"]]
    assert path.name not in names


def test_a_delivery_is_loaded_taken_back_and_loaded_again(samkat: Samkat, night: dict[str, Path]) -> None:
    path = night["MEDIAT_LUNV_20250314180610_MEDIATLUNV.iso88591"]
    loaded = samkat.json(0, "ingest", path, "--supplier", "MEDIAT")["deliveries"][0]
    reverted = samkat.json(0, "revert", str(loaded["delivery_id"]))
    assert (reverted["delivery"]["state"], reverted["report"]["bibs"], reverted["report"]["holdings"]) == (
        "reverted",
        3,
        3,
    )
    again = samkat.json(0, "ingest", path, "--supplier", "MEDIAT", "--again")["deliveries"][0]
    assert (again["state"], again["counts"]["bibs_created"]) == ("settled", 3)
    assert again["delivery_id"] != loaded["delivery_id"]


def test_a_held_delivery_ends_with_3_and_goes_on_when_it_is_approved(samkat: Samkat, night: dict[str, Path]) -> None:
    path = night["FORHAND_20250314183432_utan-isbn.mrc"]
    held = samkat.json(3, "ingest", path, "--supplier", "FORHAND")
    (plan,) = held["plans_held"]
    assert plan["change_class"] == "quality:isbn"
    approved = samkat.json(0, "plans", "approve", plan["plan_hash"][:12], "--by", "Anna Berg")
    assert [each["state"] for each in approved["deliveries"]] == ["settled"]
    assert samkat.json(0, "plans", "list") == {"plans": []}
    assert samkat.json(0, "plans", "show", plan["plan_hash"][:12])["plans"][0]["decided_by"] == "Anna Berg"


def test_a_review_is_listed_shown_and_decided_and_the_order_is_found(samkat: Samkat, tmp_path: Path) -> None:
    for day, author in (("17", "Uldmose, Lone"), ("18", "Berg, Anna")):
        path = tmp_path / f"NORDBOK_202503{day}180000_review.mrc"
        path.write_bytes(order("The salt marsh", author, "978-91-0-012345-1"))
        done = samkat.run("ingest", path, "--supplier", "NORDBOK", "--json")
    assert done.returncode == 3, done.stderr
    (review,) = samkat.json(0, "review", "list")["reviews"]
    assert (review["title"], review["libraries"]) == ("The salt marsh", ["LUNV"])
    number = str(review["review_id"])
    shown = samkat.json(0, "review", "show", number)
    candidate = shown["case"]["candidates"][0]["bib_id"]
    assert "waiting" in samkat.json(0, "why", "isbn", "9100123455", "--library", "LUNV")["answer"][-1]

    decided = samkat.json(0, "review", "decide", number, "--new", "--by", "Anna Berg")
    assert decided["done"] == {number: "bib created; holdings: 1 created"}
    assert samkat.json(2, "review", "decide", number, "--match", str(candidate), "--by", "Anna Berg")["problems"]
    answer = samkat.json(0, "why", "isbn", "9100123455", "--library", "LUNV")["answer"]
    assert [line.split(":")[0] for line in answer] == ["LUNV has it", "LUNV has it"]


def test_a_library_is_refused_then_admitted_listed_and_taken_back(
    samkat: Samkat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = shutil.copytree(SAMPLE_REGISTER, tmp_path / "register")
    monkeypatch.setitem(samkat.environment, "SAMKAT_REGISTER", str(register))
    file = tmp_path / "nylunda.toml"
    file.write_text(changed(PUBLIC, ("keeps_current = true", "")), "utf-8")
    refused = samkat.run("libraries", "admit", file)
    assert refused.returncode == 3, refused.stderr
    assert "the library has not committed itself" in refused.stdout
    assert "Nothing was written into the register." in refused.stdout
    file.write_text(PUBLIC.replace("sigel", "sygel"), "utf-8")
    wrong = samkat.run("libraries", "check", file)
    assert (wrong.returncode, "sygel" in wrong.stderr or "is missing" in wrong.stderr) == (2, True)

    file.write_text(PUBLIC, "utf-8")
    admitted = samkat.json(0, "libraries", "admit", file, "--by", "Ada Kvist")
    assert (admitted["state"], admitted["entry_file"]) == ("admitted", "libraries/NYLU.toml")
    listed = {each["sigel"]: each["standing"] for each in samkat.json(0, "libraries", "list")["libraries"]}
    assert listed["NYLU"] == "agreement begins on 2025-04-01"
    taken = samkat.json(0, "libraries", "withdraw", "NYLU", "--reason", "signed by the wrong side")
    assert taken["state"] == "withdrawn"
    assert not (register / "libraries" / "NYLU.toml").exists()
    found = samkat.json(0, "libraries", "freshness")
    stale = {each["sigel"] for each in found["libraries"] if each["is_stale"]}
    assert "VLIE" in stale  # of no delivery in this module
    assert "NYLU" not in stale


def order(title: str, author: str, isbn: str) -> bytes:
    """A bib with a holding of LUNV."""
    bib = Record(
        "00000nam a2200000 7 4500",
        [
            control_field("001", f"N{len(author)}"),
            control_field("003", "NORDBOK"),
            control_field("008", "250314s2025    sw ||||| |||| 00| 0 swe c"),
            data_field("020", "  ", [("a", isbn)]),
            data_field("100", "1 ", [("a", author)]),
            data_field("245", "10", [("a", title)]),
        ],
    )
    holding = Record("00000nx  a2200000   4500", [data_field("852", "  ", [("b", "LUNV"), ("h", "Hce")])])
    return encode(bib) + encode(holding)
