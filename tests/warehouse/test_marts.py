"""The day's snapshot of the promised views: it opens in DuckDB and pandas with one line, and shows no person."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import orjson
import pandas
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from schemas.warehouse.core import core_run
from schemas.warehouse.out import OUT_VIEWS
from tasks.landing.keys import Area
from tasks.marts.columns import schema_of
from tasks.marts.snapshot import NAMING_PERSONS, is_copied, write_marts
from tasks.workplace import Workplace
from tests.warehouse.export_checks import ON_SQLITE, send
from tests.warehouse.parcels import Export, Parcel, book
from tests.warehouse.pipeline import ingest

DAY = date(2025, 3, 14)
PAGE = Path(__file__).parents[2] / "docs" / "marts.md"


@pytest.fixture
def snapshot(place: Workplace) -> Path:
    """The folder of a day's snapshot of a small catalogue."""
    Export().bib(book(1), "SK01").holding("SOLB").bib(book(2), "SK02").load(place, "full")
    ingest("NORDBOK", [Parcel().bib(book(7), "NB7").holding("SOLB").land(place)])
    send(place)
    write_marts(place.warehouse, place.zone, DAY, "Katalogen")
    root = place.zone.local_path(place.zone.uri_for(f"marts/day={DAY}/out_bib.parquet"))
    assert root is not None
    return root.parent


def test_every_view_is_there_with_its_rows_or_its_number_alone(place: Workplace, snapshot: Path) -> None:
    copied = {view.name for view in OUT_VIEWS if is_copied(view)}
    assert {path.stem for path in snapshot.glob("out_*.parquet")} == copied
    assert not [name for name in copied if name.startswith(("out_patron", "out_account"))]
    counted = {row["view"]: row["rows"] for row in pq.read_table(snapshot / "counts.parquet").to_pylist()}
    assert counted.keys() == {view.name for view in OUT_VIEWS}
    with place.warehouse.read() as connection:
        for view in OUT_VIEWS:
            (rows,) = connection.exec_driver_sql(f"SELECT COUNT(*) FROM {view.name}").scalars()
            assert counted[view.name] == rows
            if view.name in copied:
                assert pq.read_metadata(snapshot / f"{view.name}.parquet").num_rows == rows


def test_values_have_their_types_and_are_those_of_the_view(place: Workplace, snapshot: Path) -> None:
    rows = pq.read_table(snapshot / "out_bib.parquet").to_pylist()
    assert sorted(row["control_number"] for row in rows) == ["SK01", "SK02", "samkat3"]
    assert {row["is_deleted"] for row in rows} == {False}
    assert all(isinstance(row["updated_at"], datetime) and row["updated_at"].tzinfo for row in rows)
    (delivery,) = [
        row for row in pq.read_table(snapshot / "out_delivery.parquet").to_pylist() if row["kind"] == "supplier"
    ]
    with place.warehouse.read() as connection:
        (sha256,) = connection.exec_driver_sql("SELECT sha256 FROM out_delivery WHERE kind = 'supplier'").scalars()
    assert (delivery["sha256"], delivery["business_date"], delivery["bibs_created"]) == (sha256, DAY, 1)
    assert delivery["received_at"] > datetime(2020, 1, 1, tzinfo=UTC)


@ON_SQLITE
def test_the_lines_of_the_page_open_it(snapshot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(snapshot.parent.parent)
    sql, python = re.findall(r"```(?:duckdb|python)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[:2]
    found = duckdb.sql(sql).fetchall()
    assert ("SOLB", 2, DAY) in found
    names: dict[str, object] = {"pandas": pandas}
    exec(python, names)
    assert isinstance(names["bibs"], pandas.DataFrame)
    assert set(names["bibs"]["control_number"]) == {"SK01", "SK02", "samkat3"}


@ON_SQLITE
def test_the_dictionary_tells_every_column_and_a_second_run_takes_the_first_ones_place(
    place: Workplace, snapshot: Path
) -> None:
    told = orjson.loads((snapshot / "data-dictionary.json").read_bytes())
    assert (told["catalogue"], told["day"]) == ("Katalogen", "2025-03-14")
    assert told["views"]["out_bib"]["columns"]["updated_at"] == {
        "type": "timestamp[us, tz=UTC]", "meaning": "Last change",
    }  # fmt: skip
    assert {name: list(each["columns"]) for name, each in told["views"].items() if each["file"]} == {
        view.name: list(view.columns) for view in OUT_VIEWS if is_copied(view)
    }
    files = len(list(place.zone.stored(Area.MARTS)))
    Export().bib(book(3), "SK03").load(place, name="later.mrc")
    assert write_marts(place.warehouse, place.zone, DAY, "Katalogen")["out_bib"] == 4
    assert len(list(place.zone.stored(Area.MARTS))) == files


@ON_SQLITE
def test_columns_that_may_name_a_person_are_empty(place: Workplace, snapshot: Path) -> None:
    with place.warehouse.write() as connection:
        connection.execute(
            sa.insert(core_run).values(
                run_id="r", flow="review-decide", subject="Ada Kvist", state="done", summary="{}", started_at=place.now
            )
        )
    write_marts(place.warehouse, place.zone, DAY, "Katalogen")
    (run,) = pq.read_table(snapshot / "out_run.parquet").to_pylist()
    assert (run["run_id"], run["flow"], run["subject"], run["summary"]) == ("r", "review-decide", None, None)
    for name, columns in NAMING_PERSONS.items():
        view = next(each for each in OUT_VIEWS if each.name == name)
        assert set(columns) <= view.columns.keys()
        assert b"Ada Kvist" not in (snapshot / f"{name}.parquet").read_bytes()


def test_what_every_column_holds_can_be_told() -> None:
    for view in OUT_VIEWS:
        if is_copied(view):
            assert schema_of(view).names == list(view.columns)
