"""What is told of files of persons: to whom, once whatever is killed, and never a person."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from deployments.sample.patrons import DAYS, Sizes, patron_fortnight
from schemas.warehouse.core import core_plan
from schemas.warehouse.raw import raw_delivery
from tasks.notices import patron_telling
from tasks.notices.stages import notify_held, notify_patron_plan, notify_patrons, send_notices, teller_of
from tasks.notices.wording import standard_book
from tasks.plans.store import withdraw
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.notices_night import emails, notices
from tests.warehouse.patron_files import ASTRID, AT, BIRK, CILLA, DAY, PERSONS, Change, SentFile, add_file, add_persons
from tests.warehouse.patron_runs import approve_all, rows, sync_file

on_sqlite_alone = pytest.mark.parametrize("warehouse_url", ["sqlite"], indirect=True)
"""What is the same on both engines, because another test does its statements there."""
OPERATOR = "drift@samkatalogen.example"
SENDER = "ansatte@nordhavet.example"
NIGHT = SentFile(
    7,
    rejects=[(17, "rejected", "missing"), (23, "quarantined", "several_by_search")],
    changes=[
        Change(ASTRID, "person", "created"),
        Change(BIRK, "emails", "added"),
        Change(BIRK, "emails", "own_removed"),
        Change(BIRK, "user_title", "conflict_taken"),
        Change(BIRK, "last_name", "pinned", "review"),
        Change(CILLA, "last_name", "pinned_by_policy", "review"),
        Change(CILLA, "phones", "conflict", "review"),
        Change(CILLA, "department", "edited", "suppressed"),
        Change(CILLA, "state", "returned_from_missing"),
        Change(None, "person", "created", "held", "create"),
        Change(None, "person", "created", "held", "create"),
        Change(BIRK, "state", "deactivated", "held", "deactivate"),
    ],
    plans={"create": ("a1" * 32, 2), "deactivate": ("a1" * 32, 1)},
)
TRUNCATED = SentFile(
    8,
    state="held",
    rows_read=480,
    reason="480 persons, last time 1,200: more than 15% away",
    findings=[("count", "480 persons, last time 1,200: more than 15% away", None)],
    plans={"file:count": ("b2" * 32, 1)},
)


@pytest.fixture
def contact(place: Workplace) -> str:
    """Of the library of the institution NORU."""
    return place.register.library_by_sigel["NORU"].contact


def landed(place: Workplace, name: str, delivery_id: int = 7) -> str:
    path = Path(place.settings.landing_url) / "rejects" / "NORUPERS" / str(delivery_id) / name
    return path.read_text("utf-8-sig")


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def told(place: Workplace) -> list[tuple[str, str]]:
    return sorted((row.kind, row.recipient) for row in notices(place.warehouse))


class TestNight:
    def test_library_source_and_operator_are_told_once_each(self, place: Workplace, contact: str) -> None:
        add_persons(place.warehouse, *PERSONS)
        night = [add_file(place.warehouse, NIGHT)]
        assert notify_patrons.fn(night) == {"rejects": 1, "digest": 1, "held": 1}
        assert told(place) == sorted([("digest", contact), ("held", OPERATOR), ("rejects", SENDER)])
        assert notify_patrons.fn(night) == {}
        assert notify_held.fn(night) == {}
        assert send_notices.fn() == {"sent": 3}
        assert len(emails(place)) == 3

    def test_the_digest_counts_persons_by_what_happened_and_by_field(self, place: Workplace) -> None:
        add_persons(place.warehouse, *PERSONS)
        notify_patrons.fn([add_file(place.warehouse, NIGHT)])
        (row,) = notices(place.warehouse, kind="digest")
        assert row.subject.startswith("Personer från Nordhavets universitet, personalregistret: 3 väntar, 3 att avgöra")
        for line in (
            "* Nya: 1\n",
            "* Ändrade: 1\n",
            "* Har kommit tillbaka: 1\n",
            "* Personer som skulle läggas upp: 2\n",
            "* Personer som skulle inaktiveras: 1\n",
            "* Efternamn\n  Skyddade, och källan avviker: 2\n",
            "* Telefonnummer\n  Personalen avgör: 1\n",
            "* E-postadresser\n  Ändrade: 1\n",
            "* Tilltal\n  Ändrade: 1\n  Ändringar som källan ersatte: 1\n",
            "rejects/NORUPERS/7/review.csv",
            "rejects/NORUPERS/7/errors.csv",
        ):
            assert line in row.body_text
        assert "Avdelning" not in row.body_text

    def test_rows_go_back_with_position_and_reason_and_staff_find_whom_to_decide_about(self, place: Workplace) -> None:
        add_persons(place.warehouse, *PERSONS)
        notify_patrons.fn([add_file(place.warehouse, NIGHT)])
        first, second = table(landed(place, "errors.csv"))
        assert (first["file"], first["record"], first["line"], first["field"]) == (NIGHT.name, "17", "187", "KA")
        assert (first["outcome"], first["error_code"]) == ("rejected", "missing")
        assert first["error"] == "Ett värde som måste finnas saknas."
        assert first["detail"] == "cause of missing; ask again"
        assert first["remedy"] == "Fyll i fältet."
        assert (second["outcome"], second["error_code"]) == ("quarantined", "several_by_search")
        text = landed(place, "list.txt")
        assert "Rad 23, textrad 253, fält KA: Raden passar på flera personer. [several_by_search]" in text
        (row,) = notices(place.warehouse, kind="rejects")
        assert "Lästa rader: 1\u00a0200. Går inte att läsa: 1. Okänt vems: 1." in row.body_text
        # Whom staff have to decide about; of a protected identity the id alone.
        birk, cilla = table(landed(place, "review.csv"))
        assert birk == {
            "primary_id": BIRK.primary_id,
            "path": "last_name",
            "rule": "pinned",
            "reason": "Värdet är skyddat, och källan säger något nytt.",
        }
        assert cilla == {"primary_id": CILLA.primary_id, "path": "", "rule": "", "reason": ""}

    def test_no_name_address_or_id_of_a_person_stands_in_any_message_or_list_of_errors(self, place: Workplace) -> None:
        add_persons(place.warehouse, *PERSONS)
        rejected = SentFile(9, day=DAY - timedelta(1), state="rejected", reason="it breaks off; send it again, whole")
        notify_patrons.fn([add_file(place.warehouse, each) for each in (NIGHT, TRUNCATED_EARLIER, rejected)])
        said = "\n".join(
            f"{row.subject}\n{row.body_text}\n{row.body_html}\n{row.attachments}\n{row.dedup_key}"
            for row in notices(place.warehouse)
        ).casefold()
        said += (landed(place, "errors.csv") + landed(place, "list.txt")).casefold()
        assert len(notices(place.warehouse)) == 5
        for each in PERSONS:
            for value in (each.primary_id, each.family_name, each.given_name, each.email, str(each.person_id)):
                assert value.casefold() not in said
        assert "nhu-" not in said
        assert "sekretz" not in said
        review = landed(place, "review.csv").casefold()
        assert not any(each.family_name.casefold() in review or each.email in review for each in PERSONS)

    @on_sqlite_alone
    def test_a_night_on_which_nothing_changed_sends_nothing(self, place: Workplace) -> None:
        quiet = SentFile(7, changes=[Change(BIRK, "department", "edited", "suppressed")])
        add_persons(place.warehouse, BIRK)
        assert notify_patrons.fn([add_file(place.warehouse, quiet)]) == {}
        assert notices(place.warehouse) == []
        assert not (Path(place.settings.landing_url) / "rejects" / "NORUPERS").exists()

    def test_several_files_of_a_run_are_one_digest(self, place: Workplace) -> None:
        add_persons(place.warehouse, *PERSONS)
        files = [
            SentFile(n, day=DAY + timedelta(n), changes=[Change(each, "person", "created")])
            for n, each in enumerate(PERSONS, start=1)
        ]
        assert notify_patrons.fn([add_file(place.warehouse, each) for each in files]) == {"digest": 1}
        (row,) = notices(place.warehouse)
        assert "* Nya: 3\n" in row.body_text
        assert "15 mars 2025, 16 mars 2025 och 17 mars 2025" in row.body_text


TRUNCATED_EARLIER = SentFile(
    8,
    day=date(2025, 3, 12),
    state="held",
    findings=TRUNCATED.findings,
    plans=TRUNCATED.plans,
)


class TestHeldFile:
    def test_a_truncated_night_is_one_mail_to_the_operator_and_one_to_its_sender(self, place: Workplace) -> None:
        night = [add_file(place.warehouse, TRUNCATED)]
        assert notify_patrons.fn(night) == {"held": 2}
        to_sender, to_operator = sorted(notices(place.warehouse), key=lambda row: row.recipient)
        assert (to_operator.recipient, to_operator.language) == (OPERATOR, place.register.catalogue.language)
        assert "480 persons, last time 1,200" in to_operator.body_text
        assert f"samkat plans approve {'b2' * 32}" in to_operator.body_text
        assert standard_book().language(to_operator.language).say("person_file.repairs") in to_operator.body_text
        assert (to_sender.recipient, to_sender.language) == (SENDER, "sv")
        for each in (to_operator, to_sender):
            assert "Ingen har lagts upp, ändrats eller inaktiverats av den" in each.body_text
        assert "samkat plans" not in to_sender.body_text

    @on_sqlite_alone
    def test_it_is_told_once_although_its_plan_changes_on_a_later_look(self, place: Workplace) -> None:
        night = [add_file(place.warehouse, TRUNCATED)]
        notify_patrons.fn(night)
        with place.warehouse.write() as connection:
            connection.execute(sa.update(core_plan).values(plan_hash="c3" * 32, **{"class": "file:stale"}))
        assert notify_patrons.fn(night) == {}
        assert notify_held.fn(night) == {}

    def test_once_it_is_settled_or_rejected_that_is_told_as_of_any_file(self, place: Workplace) -> None:
        night = [add_file(place.warehouse, TRUNCATED)]
        notify_patrons.fn(night)
        with place.warehouse.write() as connection:
            connection.execute(sa.update(core_plan).values(state="rejected", decided_by="Bo Alm"))
            connection.execute(
                sa.update(raw_delivery).values(state="rejected", hold_reason="a person has rejected it: 480 persons")
            )
        assert notify_patrons.fn(night) == {"rejects": 1}
        (row,) = notices(place.warehouse, kind="rejects")
        assert row.subject.startswith("1 fil från Nordhavets universitet")
        assert "a person has rejected it: 480 persons" in row.body_text
        assert notify_patrons.fn(night) == {}

    def test_that_a_newer_file_has_taken_its_place_is_no_news_to_who_knows_of_it(self, place: Workplace) -> None:
        night = [add_file(place.warehouse, TRUNCATED)]
        notify_patrons.fn(night)
        _close(place)
        assert notify_patrons.fn(night) == {}
        assert len(notices(place.warehouse)) == 2

    @on_sqlite_alone
    def test_a_file_that_was_held_and_replaced_within_one_run_is_told_to_its_sender_with_its_reason(
        self, place: Workplace
    ) -> None:
        night = [add_file(place.warehouse, TRUNCATED)]
        _close(place)
        assert notify_patrons.fn(night) == {"rejects": 1}
        (row,) = notices(place.warehouse)
        assert "not used: the file of 2025-03-15 was; 480 persons, last time 1,200" in row.body_text

    @on_sqlite_alone
    def test_a_dry_run_tells_nobody(self, place: Workplace) -> None:
        seen = SentFile(7, is_preview=True, state="matched", findings=TRUNCATED.findings)
        assert notify_patrons.fn([add_file(place.warehouse, seen)]) == {}


def _close(place: Workplace) -> None:
    """A newer file of the source was used."""
    with place.warehouse.write() as connection:
        withdraw(connection, TRUNCATED.delivery_id, "a newer one was used", AT)
        connection.execute(
            sa.update(raw_delivery).values(state="rejected", hold_reason="not used: the file of 2025-03-15 was")
        )


class TestOnce:
    def test_a_run_that_is_killed_before_it_commits_has_told_nothing_and_tells_all_the_next_time(
        self, place: Workplace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_persons(place.warehouse, *PERSONS)
        night = [add_file(place.warehouse, NIGHT)]

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as killed:
            killed.setattr(patron_telling, "note_done", die)
            with pytest.raises(KeyboardInterrupt):
                notify_patrons.fn(night)
        assert notices(place.warehouse) == []
        assert notify_patrons.fn(night) == {"rejects": 1, "digest": 1, "held": 1}

    @on_sqlite_alone
    def test_a_run_that_is_killed_after_it_has_told_of_the_files_still_tells_what_waits(
        self, place: Workplace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_persons(place.warehouse, *PERSONS)
        night = [add_file(place.warehouse, NIGHT)]

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as killed:
            killed.setattr(patron_telling, "tell_of_holds", die)
            with pytest.raises(KeyboardInterrupt):
                notify_patrons.fn(night)
        assert notify_patrons.fn(night) == {"held": 1}
        assert len(notices(place.warehouse)) == 3

    def test_what_a_killed_run_left_untold_comes_along_with_the_sources_next_file(self, place: Workplace) -> None:
        add_persons(place.warehouse, *PERSONS)
        add_file(place.warehouse, SentFile(5, day=DAY - timedelta(1), changes=[Change(ASTRID, "person", "created")]))
        other = SentFile(6, source="VESTSTUD", institution="VEST", changes=[Change(BIRK, "person", "created")])
        add_file(place.warehouse, other)
        tonight = add_file(place.warehouse, SentFile(7, changes=[Change(BIRK, "emails", "added")]))
        assert notify_patrons.fn([tonight]) == {"digest": 1}
        (row,) = notices(place.warehouse)
        assert "13 mars 2025 och 14 mars 2025" in row.body_text
        assert "* Nya: 1\n* Ändrade: 1\n" in row.body_text


def test_a_plan_that_comes_from_no_file_is_told_to_the_operator_once_each_time_it_is_asked(place: Workplace) -> None:
    plan = {
        "plan_hash": "e5" * 32, "planned": 12, "population": 100, "limit": 10.0, "state": "held", "created_at": AT,
        "reason": "12 of 100 persons would be erased",
    }  # fmt: skip
    about = [
        {"plan_id": 1, "flow": "patron-retention", "scope": "NORU", "class": "erase"},
        {"plan_id": 2, "flow": "patron-update", "scope": "NORU:NORUPERS", "class": "clear", "plan_hash": "f6" * 32},
        {"plan_id": 3, "flow": "elsewhere", "scope": "NORU", "class": "erase", "plan_hash": "a7" * 32},
    ]
    with place.warehouse.write() as connection:
        connection.execute(sa.insert(core_plan), [plan | each for each in about])
    teller = teller_of(place)
    assert patron_telling.tell_of_held_plans(place.warehouse, teller) == {"held": 2}
    assert patron_telling.tell_of_held_plans(place.warehouse, teller) == {}
    erase, clear = notices(place.warehouse)
    assert erase.subject == "Väntar på godkännande: ändringar av personer hos NORU"
    assert f"samkat plans approve {'e5' * 32}" in erase.body_text
    assert clear.subject.endswith("personer hos Nordhavets universitet, personalregistret")
    with place.warehouse.write() as connection:
        again = AT + timedelta(30)
        connection.execute(sa.update(core_plan).where(core_plan.c.plan_id == 1).values(created_at=again))
    assert patron_telling.tell_of_held_plans(place.warehouse, teller) == {"held": 1}


def test_what_was_approved_is_told_when_it_has_been_done(place: Workplace, contact: str) -> None:
    add_persons(place.warehouse, *PERSONS)
    plan = "d4" * 32
    done = Change(BIRK, "state", "deactivated", "applied", "deactivate", plan)
    night = SentFile(7, changes=[Change(ASTRID, "emails", "added"), done], plans={"deactivate": (plan, 1)})
    add_file(place.warehouse, night)
    assert notify_patrons.fn([7])["digest"] == 1
    with place.warehouse.write() as connection:
        connection.execute(sa.update(core_plan).values(state="applied"))
    assert notify_patron_plan.fn(plan[:12]) == {"digest": 1}
    assert notify_patron_plan.fn(plan[:12]) == {}
    first, later = notices(place.warehouse, kind="digest")
    assert "Inaktiverade" not in first.body_text
    assert later.recipient == contact
    assert "Detta hade väntat på godkännande och är nu gjort." in later.body_text
    assert "* Inaktiverade: respiten är slut: 1\n" in later.body_text
    assert "E-postadresser" not in later.body_text


@on_sqlite_alone
def test_a_truncated_night_of_the_sample_says_so_in_one_mail_and_no_mail_of_these_nights_holds_a_person(
    open_place: OpenPlace, tmp_path: Path
) -> None:
    first, truncated, after = DAYS[0], DAYS[3], DAYS[4]
    sizes = Sizes(norupers=130, sjukhus=20, veststud=120, fjorkomm=60)
    for day in patron_fortnight(tmp_path / "fortnight", days=(first, truncated, after), sizes=sizes):
        place = open_place(today=day.on.isoformat())
        (file,) = (each for each in day.files if each.source == "NORUPERS")
        found = sync_file(place, file.source, file.path)
        notify_patrons.fn([found.delivery_id])
        if day.on == first:
            approve_all(place)
    about = [row for row in notices(place.warehouse) if f"NORUPERS_{truncated:%Y%m%d}" in row.subject + row.body_text]
    assert sorted((row.kind, row.recipient) for row in about) == [("held", SENDER), ("held", OPERATOR)]
    said = "\n".join(f"{row.subject}\n{row.body_text}\n{row.body_html}" for row in notices(place.warehouse))
    words = set(re.findall(r"[\w@.-]+", said.casefold()))
    everybody = rows(place.warehouse, "SELECT primary_id, family_name, given_name, email FROM out_patron")
    assert len(everybody) > 100
    assert words & {value.casefold() for person in everybody for value in person if value} == set()
