"""No person of the input stands anywhere but where persons belong: in no log, parameter, artifact, e-mail or report.

A night with every kind of trouble runs as flows; then all that it left is searched: Prefect's own database, every file
of the home, every text of every table that is not of patrons.
"""

from __future__ import annotations

import csv
import email
import email.policy
import io
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

from deployments.sample.patrons import DAYS, Sizes, patron_fortnight
from flows.patron_retention import patron_retention
from flows.patron_sync import patron_sync
from flows.pipeline import HELD_BECAUSE, pipeline
from flows.plan_decide import plan_decide
from flows.revert import revert
from schemas.warehouse.core import core_plan
from tasks.landing.keys import Area
from tasks.warehouse.all_tables import metadata
from tasks.workplace import workplace
from tests.flows.runs import run
from tests.warehouse.pipeline import land

SMALL = Sizes(norupers=130, sjukhus=20, veststud=120, fjorkomm=60)
SOURCES = ("NORUPERS", "SJUKHUS", "VESTSTUD", "FJORKOMM")
"""All that the sample has: BUPS 1, BUPS 2, and CSV in two ways."""
TROUBLE = DAYS[2]
"""Rows that cannot be read, an unknown category; a first load, which is held."""
WHERE_PERSONS_BELONG = ("landing/archive/", "landing/rejects/", "landing/exports/patrons/", "landing/quarantine/")
CODES = ("LT", "GL", "EN", "FN", "FI", "EP", "TM", "FR", "GR")
COLUMNS = (
    *("Løpenr", "Lånekort", "Etternavn", "Fornavn", "Kallenavn", "E-post", "Mobil", "Adresse"),
    *("Anstnr", "Efternamn", "Förnamn", "Tilltalsnamn", "Telefon", "Gatuadress"),
)
ELEMENTS = "primary_id|first_name|last_name|email_address|phone_number|line1|value"


def words_of(path: Path) -> Iterator[str]:
    """Names, ids, e-mails, phones, addresses of a file of the sample, as its format has them."""
    content = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            content = b"".join(packed.read(name) for name in packed.namelist())
    if path.suffix in (".xml", ".zip"):
        yield from (each for _, each in re.findall(rf"<({ELEMENTS})[^>]*>([^<]+)<", content.decode()))
    elif path.suffix == ".csv":
        text = content.decode("cp1252" if path.name.startswith("FJORKOMM") else "utf-8", "replace")
        for row in csv.DictReader(io.StringIO(text), delimiter=";"):
            yield from (row.get(name) or "" for name in COLUMNS)
    else:
        for line in content.decode("latin-1").splitlines():
            if line[:2] in CODES and line[2:3] == ":":
                yield line[3:]


def texts_of_prefect() -> set[tuple[str, str]]:
    """(where, text) of every row that Prefect's server keeps."""
    database = str(PREFECT_API_DATABASE_CONNECTION_URL.value()).split("///", 1)[1]
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as prefect:
        names = [name for (name,) in prefect.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            (f"prefect: {name}", " ".join(str(cell) for cell in row))
            for name in names
            for row in prefect.execute(f'SELECT * FROM "{name}"')
        }


def texts_left(home: Path, before: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(where, text) of everything that a run leaves outside the places of persons; `before` was there already.

    The server is that of all tests: authors of books, whom another test's form names, bear names of the sample.
    """
    for path in sorted(home.rglob("*")):
        name = str(path.relative_to(home))
        if not path.is_file() or name.startswith(WHERE_PERSONS_BELONG) or path.suffix.startswith(".db"):
            continue
        content = path.read_bytes()
        if path.suffix == ".eml":
            message = email.message_from_bytes(content, policy=email.policy.default)
            yield name, str(message["subject"])
            yield from ((name, str(part.get_content())) for part in message.walk() if not part.is_multipart())
        yield name, content.decode("utf-8", "replace")
    place = workplace()
    with place.warehouse.read() as connection:
        for table in metadata.sorted_tables:
            if "patron" not in table.name:
                for row in connection.execute(sa.select(table)):
                    yield table.name, " ".join(str(cell) for cell in row)
    yield from texts_of_prefect() - before


def found_in(text: str, words: set[str], phrases: set[str]) -> set[str]:
    """Which of the words stand in a text as words, which phrases as they are."""
    there = words.intersection(re.findall(r"[\w@.+'-]*\w", text))
    return there | {each for each in phrases if each in text}


@pytest.fixture
def home(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAMKAT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SAMKAT_WAREHOUSE_URL", sqlite_url)
    return tmp_path / "home"


def test_a_night_leaves_no_person_outside_the_places_of_persons(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_a_night(home, tmp_path, monkeypatch)


@pytest.mark.integration  # takes as long again
@pytest.mark.timeout(600)
def test_nor_does_it_on_postgresql(
    postgresql_warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMKAT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SAMKAT_WAREHOUSE_URL", postgresql_warehouse_url)
    check_a_night(tmp_path / "home", tmp_path, monkeypatch)


def check_a_night(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night of all sources leaves no person outside the places of persons, whatever the warehouse is on."""
    before = texts_of_prefect()
    (night,) = patron_fortnight(tmp_path / "sample", days=[TROUBLE], sizes=SMALL)
    monkeypatch.setenv("SAMKAT_TODAY", TROUBLE.isoformat())
    place, stocks = workplace(), list(night.stocks.values())
    files = [each for each in night.files if each.source in SOURCES]
    assert {each.source for each in files} == set(SOURCES)
    for institution, stock in night.stocks.items():
        land(place, f"{institution}ALMA", stock.name, stock.read_bytes())
    run(patron_sync, SOURCES[0], [place.zone.adopt(files[0].path, SOURCES[0])], dry_run=True)
    assert list(place.zone.stored(Area.HANDED)) == []
    deliveries = []
    for each in files:
        beside = [each.path, *([each.manifest] if each.manifest else [])]
        uris = [land(place, each.source, path.name, path.read_bytes()) for path in beside]
        deliveries += [one.delivery_id for one in run(patron_sync, each.source, uris).value]
    with place.warehouse.read() as connection:
        plans = connection.execute(sa.select(core_plan.c.plan_hash).where(core_plan.c.state == "held")).scalars().all()
    for plan in plans:
        assert run(plan_decide, plan, "approve", "Bo Alm").value["problems"] == {}
    run(patron_sync, SOURCES[0], [land(place, SOURCES[0], "half.txt", files[0].path.read_bytes()[:9_000] + b"\xff")])
    assert run(revert, deliveries[-1]).value["persons"] > 0
    assert run(patron_retention).state.is_completed()

    words, phrases = sorted_words([*stocks, *(each.path for each in files)])
    assert len(words) > 400
    (original, *_) = (home / "landing" / "archive").rglob(f"*-{files[0].path.name}")
    assert len(found_in(original.read_text("latin-1"), words, phrases)) > 100
    told = {where: hits for where, text in texts_left(home, before) if (hits := found_in(text, words, phrases))}
    assert told == {}


def sorted_words(given: list[Path]) -> tuple[set[str], set[str]]:
    """What is one word, and what is several."""
    found = {each.strip() for path in given for each in words_of(path)}
    found = {each for each in found if len(each) > 3}
    return {each for each in found if " " not in each}, {each for each in found if " " in each}


def test_a_run_that_leaves_persons_to_be_approved_ends_held_with_the_reason(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMKAT_TODAY", TROUBLE.isoformat())

    @pipeline(name="held-night", run_name="held-night", timeout_seconds=60)
    def held_night() -> dict[str, object]:
        return {"held": 11, HELD_BECAUSE: "11 of 14 persons would be erased"}

    ran = run(held_night)
    assert (ran.flow_run.state_type, ran.flow_run.state_name) == ("COMPLETED", "Held")
    assert ran.state.message == "11 of 14 persons would be erased"
    with workplace().warehouse.read() as connection:
        assert connection.execute(sa.text("SELECT state, summary FROM core_run")).all() == [("held", '{"held":11}')]
