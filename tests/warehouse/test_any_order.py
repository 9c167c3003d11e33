"""The order of arrival does not matter where the contract says so (docs/decisions/0002-order-of-arrival.md)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.marc import data_field
from tasks.catalogue.fingerprint import content
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenHome, OpenPlace
from tests.warehouse.parcels import Parcel, book
from tests.warehouse.pipeline import everything, ingest, ledger, restore

WORKS = 4
SIGELS = ("SOLB", "LUNV", "NORU")


@dataclass(frozen=True)
class Order:
    """One work in a file: level and a note of the record, and the shelf mark of each library (None: withdrawn)."""

    work: int
    level: str
    note: str
    marks: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class File:
    """A file of a supplier; `minute` is the time in its name, which no two files of a supplier share."""

    supplier: str
    minute: int
    orders: tuple[Order, ...]

    def land(self, place: Workplace) -> str:
        """Put it into the landing zone."""
        parcel = Parcel(self.supplier, agency="BTJX")
        for order in self.orders:
            note = data_field("500", "  ", [("a", order.note)])
            number = f"{self.supplier[0]}{order.work}"
            parcel.bib(book(order.work), number, level=order.level, extra=(note,))
            for sigel, mark in order.marks:
                parcel.holding(sigel, mark or "", is_delete=mark is None)
        return parcel.land(place, self.minute)


def orders(levels: str) -> st.SearchStrategy[Order]:
    marks = st.dictionaries(st.sampled_from(SIGELS), st.sampled_from(["Hc", "Mag", None]), max_size=2)
    return st.builds(
        Order,
        st.integers(0, WORKS - 1),
        st.sampled_from(levels),
        st.sampled_from(["Med karta", "Utan karta"]),
        marks.map(lambda each: tuple(sorted(each.items()))),
    )


def files(supplier: str, levels: str) -> st.SearchStrategy[list[File]]:
    content_of = st.lists(orders(levels), min_size=1, max_size=3, unique_by=lambda each: each.work).map(tuple)
    return st.lists(content_of, min_size=1, max_size=3).map(
        lambda some: [File(supplier, minute, each) for minute, each in enumerate(some, 1)]
    )


# Levels of different sources are never equal: who comes first then wins, by contract.
NIGHTS = st.tuples(files("NORDBOK", "7 u"), files("FORHAND", "58")).map(lambda both: both[0] + both[1])


@given(night=NIGHTS, data=st.data())
@settings(
    max_examples=int(os.environ.get("TEST_EXAMPLES", "6")),
    deadline=None,
    derandomize="TEST_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_deliveries_with_equal_or_disjoint_keys_give_one_catalogue_in_any_order(
    place: Workplace, night: list[File], data: st.DataObject
) -> None:
    begun = everything(place.warehouse)
    ends = []
    for order in (night, data.draw(st.permutations(night))):
        for file in order:
            ingest(file.supplier, [file.land(place)])
        with place.warehouse.read() as connection:
            ends.append(content(connection))
        restore(place.warehouse, begun)
    assert ends[0] == ends[1]


TITLES = 24


def same_new_titles(supplier: str, sigel: str) -> Parcel:
    """Titles that the catalogue does not have, each with a holding."""
    parcel = Parcel(supplier)
    for serial in range(TITLES):
        level = "8" if supplier == "FORHAND" else "7"
        parcel.bib(book(serial), f"{supplier[0]}{serial}", level=level).holding(sigel)
    return parcel


def require_one_bib_a_title(place: Workplace) -> None:
    with place.warehouse.read() as connection:
        bibs = connection.exec_driver_sql("SELECT count(*) FROM out_bib WHERE NOT is_deleted").scalar()
        libraries = connection.exec_driver_sql(
            "SELECT count(*) FROM (SELECT bib_id FROM out_holding GROUP BY bib_id HAVING count(*) = 2) AS shared"
        ).scalar()
        rows = connection.exec_driver_sql("SELECT sum(bibs_created), sum(holdings_created) FROM out_delivery").one()
    assert (bibs, libraries) == (TITLES, TITLES)
    assert tuple(rows) == (TITLES, 2 * TITLES)


def test_two_deliveries_at_once_that_bring_the_same_new_titles_make_one_bib_each(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-14", chunk_records=6)
    uris = {
        supplier: same_new_titles(supplier, sigel).land(place)
        for supplier, sigel in (("NORDBOK", "SOLB"), ("FORHAND", "FJOR"))
    }
    together = threading.Barrier(len(uris))
    failed: list[BaseException] = []

    def work(supplier: str, uri: str) -> None:
        try:
            together.wait()
            ingest(supplier, [uri])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=each) for each in uris.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    require_one_bib_a_title(place)


def test_two_processes_at_once_make_one_bib_a_title(open_home: OpenHome, sqlite_template: Path, tmp_path: Path) -> None:
    """On SQLite alone, where processes meet at file locks; on PostgreSQL two threads are two sessions just as well."""
    shutil.copyfile(sqlite_template, tmp_path / "warehouse.db")
    url = f"sqlite:///{tmp_path / 'warehouse.db'}"
    place = open_home(url, tmp_path / "home", today="2025-03-14", chunk_records=6)
    programs = []
    for supplier, sigel in (("NORDBOK", "SOLB"), ("FORHAND", "FJOR")):
        uri = same_new_titles(supplier, sigel).land(place)
        program = f"from tests.warehouse.pipeline import ingest; ingest({supplier!r}, [{uri!r}])"
        programs.append(subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True))
    said = [(each.communicate(timeout=120)[1], each.returncode) for each in programs]
    assert [code for _, code in said] == [0, 0], said
    require_one_bib_a_title(place)


def test_two_runs_over_the_same_delivery_load_it_once(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-14", chunk_records=6)
    uri = same_new_titles("NORDBOK", "SOLB").land(place)
    together = threading.Barrier(2)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            together.wait()
            ingest("NORDBOK", [uri])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    row = ledger(place.warehouse, 1)
    assert (row.state, row.bibs_created, row.holdings_created) == ("settled", TITLES, TITLES)
    assert failed == []
