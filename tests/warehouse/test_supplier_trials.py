"""Test deliveries: tried like a load, told to the supplier, and without any effect on the catalogue."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from config.settings import SAMPLE_REGISTER
from schemas.errors import UsageError
from schemas.warehouse.core import core_notice
from schemas.warehouse.out import OUT_VIEWS
from tasks.catalogue.stages import stage_records
from tasks.landing.feeds import feeds_of
from tasks.landing.stages import look_for_work, receive
from tasks.matching.stages import match_on_isbn
from tasks.quality.stages import check_deliveries
from tasks.suppliers import stages
from tasks.suppliers.report import TrialReport
from tasks.suppliers.showing import supplier_page
from tasks.suppliers.trials import digest_of, keep_trial, read_trials
from tasks.warehouse.ledger import delivery
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.export_checks import ON_SQLITE
from tests.warehouse.parcels import Export, Parcel, book
from tests.warehouse.pipeline import everything, ingest, land, ledger

TRIALS = ("core_trial", "core_trial_record", "core_trial_check", "core_notice", "core_counter")
VIEWS = {view.name for view in OUT_VIEWS}


@pytest.fixture
def place(open_place: OpenPlace, tmp_path: Path) -> Workplace:
    """A workplace in which NORDBOK is in the sandbox."""
    register = Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))
    file = register / "suppliers.toml"
    text = file.read_text("utf-8").replace('code = "NORDBOK"\n', 'code = "NORDBOK"\nsandbox = true\n')
    file.write_text(text, "utf-8")
    return open_place(register_folder=register, today="2025-03-14", stable_seconds=0)


def trial(supplier: str, uris: list[str], *, dry_run: bool = False) -> TrialReport:
    """A run of `supplier-trial`."""
    files = stages.receive_tests.fn(supplier, uris)
    for stage in (stage_records, check_deliveries, match_on_isbn):
        stage.fn(files.deliveries)
    guards = stages.try_loading.fn(supplier, files.deliveries)
    report = stages.report_tests.fn(supplier, files, guards, dry_run=dry_run)
    stages.put_away.fn(supplier, uris, only_copies=dry_run)
    return report


def rows(place: Workplace, view: str, *columns: str, where: str = "1 = 1") -> list[tuple[Any, ...]]:
    assert view in VIEWS
    with place.warehouse.read() as connection:
        found = connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {view} WHERE {where}")
        return sorted((tuple(row) for row in found), key=repr)


def parcel() -> Parcel:
    made = Parcel()
    for serial in range(1, 12):
        made.bib(book(serial), f"N{serial}").holding("SOLB")
    return made


def test_a_test_delivery_changes_nothing_and_is_told_with_every_record_and_rule(place: Workplace) -> None:
    Export().bib(book(1), "SK01").holding("SOLB").load(place)
    mixed = parcel().holding("XXXX").holding("FJOR")
    mixed.pieces.insert(0, mixed.pieces[1])  # a holding before every bib
    before = everything(place.warehouse, but=TRIALS)
    uri = mixed.land(place)
    report = trial("NORDBOK", [uri])
    assert everything(place.warehouse, but=TRIALS) == before

    (line,) = report.lines
    counts = {name: number for name, number in line.counts.items() if number}
    assert counts == {
        "records_read": 25, "bibs_read": 11, "bibs_created": 10, "bibs_kept": 1, "holdings_read": 14,
        "holdings_created": 10, "holdings_updated": 1, "holdings_refused": 2, "holdings_rejected": 1,
    }  # fmt: skip
    unmet = [each.rule for each in report.checks if not each.is_met]
    assert unmet == ["sigels_known", "libraries_allow", "records_accepted", "customers_reported"]
    assert (report.is_ready, line.is_ready) == (False, False)
    refused = rows(place, "out_trial_record", "position", "sigel", "rule", where="outcome IN ('refused', 'rejected')")
    assert refused == [(1, "SOLB", "holding_unfit"), (24, "XXXX", "unknown_sigel"), (25, "FJOR", "not_a_customer")]
    assert len(rows(place, "out_trial_record", "position")) == 25
    assert len(rows(place, "out_trial_check", "rule")) == len(report.checks)

    with place.warehouse.read() as connection:
        (mail,) = connection.execute(sa.select(core_notice)).all()
        page = supplier_page(connection, place.register, "NORDBOK", place.today)
    assert (mail.kind, mail.recipient) == ("trial", place.register.supplier_by_code["NORDBOK"].contact)
    assert "XXXX" in mail.body_text
    assert "[no_bib]" in mail.body_text
    assert mail.attachments.count('"name"') == 2  # the table, and the records as they came
    assert (page.line.sandbox, page.line.is_ready, len(page.checks)) == (True, False, len(report.checks))
    assert place.zone.waiting("NORDBOK") == []
    assert [place.zone.exists(str(uri)) for (uri,) in rows(place, "out_trial", "uri")] == [True]


@ON_SQLITE
def test_the_same_file_with_the_same_findings_is_kept_and_told_once(place: Workplace) -> None:
    trial("NORDBOK", [parcel().land(place)])
    before = everything(place.warehouse)
    trial("NORDBOK", [parcel().land(place)])
    assert everything(place.warehouse, but=["core_counter"]) == {
        name: found for name, found in before.items() if name != "core_counter"
    }


@ON_SQLITE
def test_a_run_that_was_killed_before_it_told_is_done_again_without_a_second_row(place: Workplace) -> None:
    uri = parcel().land(place)
    files = stages.receive_tests.fn("NORDBOK", [uri])
    for stage in (stage_records, check_deliveries, match_on_isbn):
        stage.fn(files.deliveries)
    stages.try_loading.fn("NORDBOK", files.deliveries)
    with place.warehouse.write() as connection:  # as far as report_tests has come
        row = delivery(connection, files.deliveries[0])
        (found,) = read_trials(connection, place.supplier("NORDBOK"), [row], {}, place.today)
        keep_trial(connection, "NORDBOK", found, digest_of(connection, found), {"tried_at": place.now})
    trial("NORDBOK", [uri])
    with place.warehouse.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(core_notice)).scalar_one() == 1
    assert len(rows(place, "out_trial", "trial_id")) == 1
    assert len(rows(place, "out_trial_record", "position")) == 22
    assert rows(place, "out_delivery", "delivery_id") == []


@ON_SQLITE
def test_small_test_files_are_counted_together_each_once(place: Workplace) -> None:
    first = Parcel().bib(book(1), "N1").holding("SOLB").land(place, 1)
    assert "enough_bibs" in [each.rule for each in trial("NORDBOK", [first]).checks if not each.is_met]
    more = [
        Parcel().bib(book(serial), f"N{serial}").holding("SOLB").land(place, serial) for serial in range(2, 11)
    ]  # fmt: skip
    report = trial("NORDBOK", more)
    assert report.is_ready
    assert (report["files"], report["bibs read"]) == (9, 9)


def test_what_cannot_be_taken_as_a_whole_is_told_and_leaves_no_outcome(place: Workplace) -> None:
    before = everything(place.warehouse, but=TRIALS)
    name = "BOKRING_SOLB_20250314180037_BOKRING25031400001.xml"
    order = b'<collection xmlns="http://www.loc.gov/MARC21/slim"></collection>'
    report = trial("BOKRING", [land(place, "BOKRING", name, order), land(place, "BOKRING", "ny.xml", order + b" ")])
    assert [each.state for each in report.lines] == ["rejected", "rejected"]
    assert [each.rule for each in report.checks if not each.is_met] == ["file_accepted", "enough_bibs"]
    assert everything(place.warehouse, but=TRIALS) == before
    with place.warehouse.read() as connection:
        (text,) = connection.execute(sa.select(core_notice.c.body_text)).scalars()
    assert "ny.xml" in text


@ON_SQLITE
def test_a_file_that_breaks_its_names_promise_is_rejected_without_a_trace_in_the_catalogue(place: Workplace) -> None:
    two = Parcel("MEDIAT").bib(book(1), "M1").holding("LUNV")
    before = everything(place.warehouse, but=TRIALS)
    report = trial("MEDIAT", [land(place, "MEDIAT", "MEDIAT_SOLB_20250314180533_MEDIAT1.iso88591", two.content)])
    (line,) = report.lines
    assert (line.state, line.counts["bibs_rejected"], line.counts["holdings_rejected"]) == ("rejected", 1, 1)
    assert everything(place.warehouse, but=TRIALS) == before
    assert rows(place, "out_trial_record", "position", "rule") == [(1, "file_rejected"), (2, "file_rejected")]


@ON_SQLITE
def test_before_its_agreement_a_supplier_is_tried_as_if_it_were_in_force(
    place: Workplace, open_place: OpenPlace
) -> None:
    file = Path(place.settings.register_folder) / "suppliers.toml"
    file.write_text(file.read_text("utf-8").replace("agreement_from = 2015-05-01", "agreement_from = 2025-04-01"))
    place = open_place(register_folder=file.parent, today="2025-03-13", stable_seconds=0)
    report = trial("NORDBOK", [parcel().land(place)])
    assert report.lines[0].counts["bibs_created"] == 11
    assert [each.rule for each in report.checks if each.is_needed and not each.is_met] == ["agreement"]
    file.write_text(file.read_text("utf-8").replace("sandbox = true", "sandbox = false"))
    open_place(register_folder=file.parent, today="2025-03-12", stable_seconds=0)
    (loaded,) = ingest("NORDBOK", [parcel().land(place)])
    assert ledger(place.warehouse, loaded).bibs_rejected == 11
    assert rows(place, "out_record", "DISTINCT rule") == [("supplier_before_agreement",)]


def test_once_out_of_the_sandbox_the_same_file_is_loaded_for_real(place: Workplace, open_place: OpenPlace) -> None:
    trial("NORDBOK", [parcel().land(place)])
    out = open_place(register_folder=SAMPLE_REGISTER, today="2025-03-14", stable_seconds=0)
    (loaded,) = ingest("NORDBOK", [parcel().land(out)])
    row = ledger(out.warehouse, loaded)
    assert (row.state, row.bibs_created, row.holdings_created, row.is_preview) == ("settled", 11, 11, False)
    again = trial("NORDBOK", [parcel().land(out)])
    assert (again.lines, list(again.known.values())) == ([], [loaded])


@ON_SQLITE
def test_a_dry_run_of_a_test_keeps_and_tells_nothing(place: Workplace) -> None:
    before = everything(place.warehouse, but=["core_counter"])
    uri = parcel().land(place)
    report = trial("NORDBOK", [uri], dry_run=True)
    assert report.lines[0].counts["bibs_created"] == 11
    assert everything(place.warehouse, but=["core_counter"]) == before
    assert place.zone.exists(uri)


@ON_SQLITE
def test_a_supplier_in_the_sandbox_is_never_loaded_and_nothing_is_expected_of_it(place: Workplace) -> None:
    uri = parcel().land(place)
    land(place, "NORDBOK", "customers-2025.csv", b"name;sigel;email\n")
    starts = look_for_work.fn()
    assert [(each.flow, each.sender, len(each.uris)) for each in starts] == [
        ("supplier-trial", "NORDBOK", 1),
        ("supplier-customers", "NORDBOK", 1),
    ]
    assert starts[0].uris == (uri,)
    with pytest.raises(UsageError, match="in the sandbox"):
        receive.fn("NORDBOK", [uri])
    assert "NORDBOK" not in [each.sender for each in feeds_of(place.register)]
