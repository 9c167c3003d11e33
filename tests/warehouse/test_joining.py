"""Libraries that join: refused with a checklist, admitted once, delivered to from the first day on, taken back."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.errors import ConfigurationError, UsageError
from schemas.warehouse.core import core_notice
from schemas.warehouse.joining import core_library_application
from tasks.joining import admitting
from tasks.joining import stages as joining
from tasks.joining.entry import entry_file, library_of
from tasks.joining.listing import library_lines
from tasks.joining.report import ApplicantReport
from tasks.workplace import Workplace
from tests.unit.library_samples import PUBLIC, SCHOOL, application, changed
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.export_checks import ON_SQLITE
from tests.warehouse.parcels import Export, Parcel, book
from tests.warehouse.pipeline import everything, ingest, outcomes

UNTRAINED = changed(PUBLIC, ("trained_on = 2025-01-20\n", ""))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A register of the consortium's own; NORDBOK sells to whoever takes it."""
    copied = Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))
    suppliers = copied / "suppliers.toml"
    text = suppliers.read_text("utf-8")
    (only,) = [line for line in text.splitlines() if line.startswith('libraries = ["SOLB"')]
    suppliers.write_text(text.replace(f"{only}\n", ""), "utf-8")
    monkeypatch.setenv("SAMKAT_REGISTER", str(copied))
    return copied


@pytest.fixture
def desk(folder: Path, open_place: OpenPlace) -> Workplace:
    """The workplace on 14 March 2025, with that register."""
    return open_place(today="2025-03-14")


def check(text: str, name: str = "application.toml") -> ApplicantReport:
    return joining.check_applicant.fn(text, name)


def admit(text: str, *, by: str = "Ada Kvist", dry_run: bool = False) -> ApplicantReport:
    """The steps of the flow."""
    report = joining.check_applicant.fn(text, "application.toml", dry_run)
    return joining.admit_applicant.fn(report, text, "application.toml", by, dry_run)


def withdraw(sigel: str, *, dry_run: bool = False) -> ApplicantReport:
    return joining.withdraw_applicant.fn(sigel, "Bo Alm", "signed by\nthe wrong side", dry_run)


def seen(place: Workplace, view: str, *columns: str, where: str = "1 = 1") -> list[tuple[Any, ...]]:
    """Rows of a promised view."""
    statement = sa.text(f"SELECT {', '.join(columns)} FROM {view} WHERE {where} ORDER BY 1, 2")
    with place.warehouse.read() as connection:
        return [tuple(row) for row in connection.execute(statement)]


def mails(place: Workplace, kind: str = "joining") -> list[tuple[str, str, str]]:
    """(recipient, language, subject) of the e-mails of a kind, oldest first."""
    with place.warehouse.read() as connection:
        rows = connection.execute(
            sa.select(core_notice.c.recipient, core_notice.c.language, core_notice.c.subject)
            .where(core_notice.c.kind == kind)
            .order_by(core_notice.c.notice_id)
        )
        return [tuple(row) for row in rows]


def applied(place: Workplace) -> list[tuple[str, str, int, int]]:
    return [
        tuple(row)
        for row in seen(place, "out_library_application", "application_id", "state", "rules_met", "rules_unmet")
    ]


def test_an_applicant_is_refused_with_a_checklist_and_admitted_once_it_is_put_right(
    desk: Workplace, folder: Path
) -> None:
    refused = admit(UNTRAINED)
    assert (refused.state, [each.rule for each in refused.unmet]) == ("refused", ["cataloguing_training"])
    assert applied(desk) == [(1, "refused", 8, 1)]
    (row,) = seen(desk, "out_library_check", "rule", "verdict", "reason", "is_latest", where="verdict = 'unmet'")
    assert row[:3] == ("cataloguing_training", "unmet", "nobody there has completed the training in cataloguing")
    assert bool(row[3])
    assert not (folder / "libraries").exists()
    assert mails(desk) == []

    admitted = admit(PUBLIC)
    assert admitted.state == "admitted"
    assert applied(desk) == [(1, "replaced", 8, 1), (2, "admitted", 9, 0)]
    library = read_register(folder).library_by_sigel["NYLU"]
    assert library == library_of(application())
    assert desk.register.library_by_sigel["NYLU"] == library, "this process knows it at once"
    assert "by Ada Kvist" in entry_file(folder, "NYLU").read_text("utf-8")
    assert mails(desk) == [("medier@nylunda.example", "sv", "Nylunda bibliotek är med i Samkatalogen")]
    assert seen(desk, "out_library_application", "decided_by", "entry_file", where="state = 'admitted'") == [
        ("Ada Kvist", "libraries/NYLU.toml")
    ]


def test_the_same_again_changes_nothing_and_a_dry_run_keeps_nothing(desk: Workplace, folder: Path) -> None:
    empty = everything(desk.warehouse)
    would = admit(PUBLIC, dry_run=True)
    assert (would.state, would.entry_file) == ("eligible", "libraries/NYLU.toml")
    assert 'sigel = "NYLU"' in would.entry
    assert "medier@nylunda.example would get" in would.remarks[0]
    assert everything(desk.warehouse) == empty
    assert not (folder / "libraries").exists()

    admit(PUBLIC)
    entry = entry_file(folder, "NYLU").read_bytes()
    again = admit(PUBLIC, by="Bo Alm")
    assert (again.state, again.remarks) == ("admitted", ("It was admitted before: nothing was done.",))
    assert admit("NYLU", dry_run=True).remarks == ("It was admitted before: nothing would be done.",)
    assert entry_file(folder, "NYLU").read_bytes() == entry
    assert applied(desk) == [(1, "admitted", 9, 0)]
    assert len(mails(desk)) == 1
    assert {row[1] for row in seen(desk, "out_library_check", "application_id", "check_no")} == {1}


def test_a_delivery_is_refused_before_the_first_day_by_its_rule_and_taken_on_it(
    desk: Workplace, folder: Path, open_place: OpenPlace
) -> None:
    admit(PUBLIC)
    ingest("NORDBOK", [Parcel().bib(book(1), "NB1").holding("NYLU").holding("SOLB").land(desk)])
    ruled = {(row[-1], row[-2]) for row in outcomes(desk.warehouse) if row[-1] in ("NYLU", "SOLB")}
    assert ruled == {("NYLU", "library_before_agreement"), ("SOLB", "new_holding")}
    assert seen(desk, "out_record", "sigel", "reason", where="outcome = 'refused'") == [
        ("NYLU", "the agreement of Nylunda bibliotek begins on 2025-04-01")
    ]
    later = open_place(today="2025-04-01")
    ingest("NORDBOK", [Parcel().bib(book(2), "NB2").holding("NYLU").land(later, minute=5)])
    ((sigel, is_visible),) = seen(later, "out_holding", "sigel", "is_visible", where="sigel = 'NYLU'")
    assert bool(is_visible)
    lines = {each.sigel: each.standing for each in _listed(later)}
    assert (sigel, lines["NYLU"]) == ("NYLU", "in force since 2025-04-01")


def _listed(place: Workplace) -> list[Any]:
    with place.warehouse.read() as connection:
        return list(library_lines(connection, place.register, place.today))


@ON_SQLITE
def test_holdings_of_a_school_are_taken_and_not_shown_and_it_is_told_in_its_language(desk: Workplace) -> None:
    assert admit(SCHOOL).state == "admitted"
    ingest("NORDBOK", [Parcel().bib(book(1), "NB1").holding("NYLS").land(desk)])
    ((_, is_visible),) = seen(desk, "out_holding", "sigel", "is_visible")
    assert not is_visible
    assert mails(desk) == [
        ("biblioteket@nylundaskolan.example", "da", "Nylundaskolans bibliotek er med i Samkatalogen")
    ]


def test_holdings_from_before_the_admission_are_shown_with_it_and_hidden_when_it_is_taken_back(
    desk: Workplace, folder: Path
) -> None:
    Export().bib(book(1), "SK01").holding("NYLU").holding("SOLB").bib(book(2), "SK02").holding("NYLU").load(desk)
    assert [bool(row[1]) for row in seen(desk, "out_holding", "sigel", "is_visible", where="sigel = 'NYLU'")] == [
        False, False,
    ]  # fmt: skip
    assert dict(admit(PUBLIC))["holdings_shown"] == 2
    shown = seen(desk, "out_holding", "sigel", "is_visible", "version", "is_deleted")
    assert [(row[0], bool(row[1]), row[2]) for row in shown] == [
        ("NYLU", True, 2), ("NYLU", True, 2), ("SOLB", True, 1),
    ]  # fmt: skip
    gone = withdraw("NYLU")
    assert (gone.state, dict(gone)["holdings_hidden"]) == ("withdrawn", 2)
    assert {bool(row[1]) for row in seen(desk, "out_holding", "sigel", "is_visible", where="sigel = 'NYLU'")} == {False}


def test_an_admission_is_taken_back_once_and_given_again(desk: Workplace, folder: Path) -> None:
    admit(PUBLIC)
    before = everything(desk.warehouse)
    assert "would be taken away" in withdraw("NYLU", dry_run=True).remarks[0]
    assert everything(desk.warehouse) == before
    assert withdraw("NYLU").state == "withdrawn"
    assert "NYLU" not in read_register(folder).library_by_sigel
    assert withdraw("NYLU").remarks == ("It was taken back before: nothing was done.",)
    assert seen(desk, "out_library_application", "state", "decided_by", "reason", "entry_file") == [
        ("withdrawn", "Bo Alm", "signed by the wrong side", None)
    ]
    assert check("NYLU").state == "withdrawn", "a check gives nothing back"
    assert admit("NYLU").state == "admitted"
    subjects = [subject for _, _, subject in mails(desk)]
    assert [subject.split()[-2:] for subject in subjects] == [
        ["i", "Samkatalogen"], ["har", "återtagits"], ["i", "Samkatalogen"],
    ]  # fmt: skip
    with pytest.raises(UsageError, match="no library was admitted with the sigel SOLB"):
        withdraw("SOLB")


def test_a_run_that_was_killed_between_warehouse_and_register_is_taken_up(desk: Workplace, folder: Path) -> None:
    text = PUBLIC
    report = check(text)
    assert report.application_id is not None
    admitting._begin(joining._desk(desk), report.application_id, library_of(application()), "Ada Kvist")
    assert applied(desk) == [(1, "admitting", 9, 0)]
    assert admit(text, by="Bo Alm").state == "admitted"
    assert "by Ada Kvist" in entry_file(folder, "NYLU").read_text("utf-8")
    assert len(mails(desk)) == 1
    # And killed after the entry was written, before the warehouse heard of it.
    with desk.warehouse.write() as connection:
        connection.execute(sa.update(core_library_application).values(state="admitting"))
        connection.execute(sa.delete(core_notice))
    assert admit(text).state == "admitted"
    assert len(mails(desk)) == 1


@ON_SQLITE
def test_a_file_of_that_name_stops_the_admission_and_the_applicant_stays_eligible(
    desk: Workplace, folder: Path
) -> None:
    (folder / "libraries").mkdir()
    entry_file(folder, "NYLU").write_text("# somebody is at it\n", "utf-8")
    with pytest.raises(UsageError, match="says something else"):
        admit(PUBLIC)
    assert entry_file(folder, "NYLU").read_text("utf-8") == "# somebody is at it\n"
    assert applied(desk) == [(1, "eligible", 9, 0)]
    assert mails(desk) == []


@ON_SQLITE
def test_two_applicants_for_one_sigel_and_one_that_a_member_has(desk: Workplace) -> None:
    check(PUBLIC)
    other = check(changed(PUBLIC, ("Nylunda bibliotek", "Nyby bibliotek"), ('"NYLU"', '"Nylu"')))
    assert [each.reason for each in other.unmet] == ["Nylu belongs to Nylunda bibliotek, which has applied as well"]
    taken = check(changed(PUBLIC, ('"NYLU"', '"solb"')))
    assert [each.reason for each in taken.unmet] == ["solb belongs to Solbergs stadsbibliotek in the register"]


@ON_SQLITE
def test_a_member_that_applies_again_is_told_that_it_takes_part_and_can_still_be_withdrawn(desk: Workplace) -> None:
    admit(PUBLIC)
    again = admit(changed(PUBLIC, ("medier@", "inkop@")))
    assert [each.reason for each in again.unmet] == ["Nylunda bibliotek takes part already"]
    assert applied(desk) == [(1, "admitted", 9, 0), (2, "refused", 8, 1)]
    assert withdraw("NYLU").state == "withdrawn"
    assert admit(changed(PUBLIC, ("medier@", "inkop@"))).state == "admitted"
    assert withdraw("NYLU").application_id == 2


@ON_SQLITE
def test_an_address_that_refused_its_last_e_mail_is_not_reachable(desk: Workplace) -> None:
    admit(PUBLIC)
    with desk.warehouse.write() as connection:
        connection.execute(sa.update(core_notice).values(state="failed", last_error="550 no such user"))
    found = check("NYLU")
    assert (found.state, [each.rule for each in found.unmet]) == ("admitted", ["contact_reachable"])
    assert {row[1] for row in seen(desk, "out_library_check", "application_id", "check_no")} == {1, 2}


@ON_SQLITE
def test_what_cannot_be_done_is_said_in_words(place: Workplace, open_place: OpenPlace) -> None:
    with pytest.raises(UsageError, match="nobody has applied for the sigel NYLU"):
        check("NYLU")
    with pytest.raises(UsageError, match="Solbergs stadsbibliotek is in the register without one"):
        check("SOLB")
    with pytest.raises(ConfigurationError, match="unknown key"):
        check('sygel = "NYLU"\n' + PUBLIC)
    with pytest.raises(UsageError, match="the register of the sample consortium, a part of the program"):
        admit(PUBLIC)
    assert date(2025, 3, 14) == place.today
    assert not (SAMPLE_REGISTER / "libraries").exists()


def test_holdings_follow_a_participation_that_is_changed_by_hand(desk: Workplace, folder: Path) -> None:
    Export().bib(book(1), "SK01").holding("SOLB").holding("SOLG").holding("NONE").load(desk)
    assert joining.show_as_registered.fn() == {}, "a sigel that nobody has is left alone"
    file = folder / "libraries.toml"
    limited = changed(file.read_text("utf-8"), ('participation = "registering"', 'participation = "limited"'))
    file.write_text(limited, "utf-8")
    assert not desk.read_register_again().library_by_sigel["SOLB"].is_visible
    assert joining.show_as_registered.fn() == {"holdings_hidden": 1}
    assert [(sigel, bool(shown)) for sigel, shown in seen(desk, "out_holding", "sigel", "is_visible")] == [
        ("NONE", False), ("SOLB", False), ("SOLG", False),
    ]  # fmt: skip
    assert joining.show_as_registered.fn() == {}
