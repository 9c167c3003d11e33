"""Erasing on both engines: what stands against it, that nothing of the person is left, and nothing brings them back."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from deployments.sample.patrons import DAYS, Sizes, patron_fortnight
from schemas.warehouse.core import core_plan
from tasks.deciding.stages import revert_persons
from tasks.landing.keys import Area
from tasks.library_systems import stages as library_systems
from tasks.notices.message import Message, NoticeKind
from tasks.notices.queue import queue_messages
from tasks.notices.stages import send_notices
from tasks.patrons import desk
from tasks.patrons.desk import AtTheDesk, Entered, find_person
from tasks.plans.store import approve
from tasks.privacy import stages
from tasks.privacy.asked import Asked, erase_on_request
from tasks.privacy.disclosing import as_json, as_text, disclose
from tasks.privacy.erasing import Erasing
from tasks.privacy.obligations import COLUMNS, take_obligations
from tasks.warehouse.all_tables import metadata
from tasks.warehouse.engine import Warehouse
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.few_patrons import (
    ADA,
    BO,
    CILLA,
    EVERYBODY,
    INSTITUTION,
    SOURCE,
    file_of,
    occasion,
    send,
    with_cell,
)
from tests.warehouse.patron_runs import approve_all, persons, rows, sync
from tests.warehouse.pipeline import land

ADA_ID = "F200071"
SMALL = Sizes(norupers=130, sjukhus=20, veststud=120, fjorkomm=60)
OF_ADA = ("F200071", "f200071", "Bruvoll", "Brattvoll", "ada.bruvoll", "Kaigata 3", "2011-04-03")
"""What tells of the first person: ids, names, address, birth date, as tables and files hold them."""


def words_left(warehouse: Warehouse, place: Workplace) -> set[str]:
    """Of `OF_ADA` what stands anywhere: in any column of any table, in any file of the home."""
    return {word for text in texts(warehouse, place) for word in OF_ADA if word in text}


def texts(warehouse: Warehouse, place: Workplace) -> Iterator[str]:
    with warehouse.read() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                yield " ".join(str(cell) for cell in row)
    for path in place.settings.home.rglob("*"):
        if path.is_file() and not path.name.startswith("warehouse.db"):
            yield path.read_bytes().decode("cp1252", "replace")


def owe(place: Workplace, *lines: str, hours: float = 1) -> None:
    """The library system says what is owed."""
    text = "\n".join((";".join(COLUMNS), *lines))
    as_of = place.settings.as_of() - timedelta(hours=hours)
    assert not take_obligations(place.warehouse, INSTITUTION, io.StringIO(text), as_of, "owed.csv").bad


def erase(place: Workplace, text: str = ADA_ID, institution: str = INSTITUTION) -> Asked:
    why = "asked for it, by Ola Vik"
    as_of = place.settings.as_of()
    erasing = Erasing(place.register, place.patron_salt, place.today, as_of, place.now, "desk-1", why)
    return erase_on_request(place.warehouse, place.zone, place.settings.outbox, institution, text, erasing)


def write_mails(place: Workplace) -> None:
    """Copies of e-mails: one that was queued, one in quoted-printable, one with a file, one of somebody else."""
    place.settings.outbox.mkdir(parents=True, exist_ok=True)
    queued = Message(
        NoticeKind.FAILED,
        "drift@samkatalogen.example",
        "A run failed",
        "en",
        "ada.bruvoll@skole.example",
        "",
        (),
        "key",
    )
    with place.warehouse.write() as connection:
        queue_messages(connection, [queued], sender="drift@samkatalogen.example", now=place.now)
    send_notices.fn()
    for number, text in ((2, "Åpnet: F200071 Bruvoll"), (3, "Åpnet"), (4, "Åpnet: F200072")):
        mail = EmailMessage()
        mail["Subject"] = "Kort"
        mail.set_content(text, cte="quoted-printable")
        if number == 3:
            mail.add_attachment(b"kort\nf200071\n", maintype="text", subtype="csv", filename="kort.csv")
        (place.settings.outbox / f"{number}.eml").write_bytes(mail.as_bytes())


def at(place: Workplace) -> AtTheDesk:
    return AtTheDesk(place.warehouse, occasion(place), place.now, "Ola Vik")


def test_what_stands_against_erasing_is_said_and_nobody_is_erased(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-03")
    send(place, *EVERYBODY)
    assert erase(place).obstacles == ("no feed says what loans and balances there are",)
    owe(place, f"{ADA_ID};1;-12,50;0;2;0")
    assert erase(place).obstacles == (
        "there are loans", "there are items on the hold shelf", "the balance is not zero",
    )  # fmt: skip
    owe(place, f"{ADA_ID};0;0;0;0;0", hours=0.5)
    later = open_place(today="2025-03-05")
    assert erase(later).obstacles == ("the feed of loans and balances is older than 24 hours",)
    assert ADA_ID in persons(place.warehouse, INSTITUTION)


def test_an_erased_person_is_nowhere_and_nothing_brings_them_back(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-03")
    first = send(place, *EVERYBODY)
    desk.protect(at(place), INSTITUTION, ADA_ID, "last_name", Entered("Brattvoll"), reason="passport of Bruvoll")
    place = open_place(today="2025-03-04")
    send(place, with_cell(ADA, "Kallenavn", "Adda"), BO, CILLA)
    with place.warehouse.snapshot() as connection:
        document = disclose(connection, find_person(connection, INSTITUTION, ADA_ID, place.today), place.register,
                            place.now)  # fmt: skip
    for shown in (as_json(document).decode(), as_text(document)):
        assert all(word in shown for word in ("F200071", "Bruvoll", "Brattvoll", "Kaigata 3", "passport"))
        assert "Tangnes" not in shown
    assert words_left(place.warehouse, place) >= set(OF_ADA) - {"2011-04-03"}

    write_mails(place)
    owe(place, f"{ADA_ID};0;0.00;0;0;0")
    done = erase(place)
    assert done.obstacles == ()
    assert done.files is not None
    assert done.files["copies of e-mails"] == 3
    assert [path.name for path in place.settings.outbox.iterdir()] == ["4.eml"]
    assert done.files["files received"] == 2
    assert words_left(place.warehouse, place) == set()
    assert sorted(persons(place.warehouse, INSTITUTION)) == ["F200072", "F200073"]
    erased = "SELECT decision, reason, primary_id FROM out_patron_change WHERE rule = 'erased'"
    assert rows(place.warehouse, erased) == [("applied", "asked for it, by Ola Vik", None)]

    report = revert_persons.fn(first.delivery_id)
    assert report["erased"] == 1
    assert ADA_ID not in persons(place.warehouse, INSTITUTION)
    place = open_place(today="2025-03-05")
    found = send(place, ADA, BO, CILLA)
    assert (found.rows["quarantined"], ADA_ID in persons(place.warehouse, INSTITUTION)) == (1, False)
    place = open_place(today="2025-09-01")
    send(place, ADA, BO, with_cell(CILLA, "Enhet", "Plan"))
    assert ADA_ID in persons(place.warehouse, INSTITUTION)  # the tombstone has lapsed: somebody new


def make_erasable(place: Workplace, number: int) -> None:
    """So many persons whose purge date has come, of whom the library system says that nothing is owed."""
    names = [f"F30{each:04}" for each in range(number)]
    send(place, *EVERYBODY, *(f"8{name[1:]};{name};;Nord{name};Per;;ANS;Teknisk;;;;;;;B;;" for name in names))
    approve_all(place)
    with place.warehouse.write() as connection:
        connection.execute(
            sa.text("UPDATE core_patron SET state = 'erasable', purge_on = :day WHERE primary_id LIKE 'F30%'"),
            {"day": str(place.today)},
        )
    owe(place, *(f"{name};0;0;0;0;0" for name in names))


def test_more_than_the_limit_wait_for_approval_by_the_hash_of_the_plan(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-03")
    make_erasable(place, 11)
    counts, held = stages.erase_due_persons.fn()
    assert (counts["held"], counts["persons"]) == (11, 0)
    assert held == ("11 of 14 persons would be erased; 10 are let through unasked in 30 days, and 0 were",)
    with place.warehouse.write() as connection:
        plan = connection.execute(sa.select(core_plan.c.plan_hash).where(core_plan.c.state == "held")).scalar_one()
        approve(connection, plan, "Bo Alm", place.now)
    assert stages.erase_approved_persons.fn(plan).said == {"erase": "11 persons erased"}
    assert sorted(persons(place.warehouse, INSTITUTION)) == ["F200071", "F200072", "F200073"]
    state = "SELECT state FROM core_plan WHERE flow = 'patron-retention'"
    assert rows(place.warehouse, state) == [("applied",)]


def test_old_files_are_shredded_and_earlier_values_forgotten(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-03")
    send(place, *EVERYBODY)
    send_again = with_cell(ADA, "Etternavn", "Nyvoll")
    place = open_place(today="2025-03-04")
    send(place, send_again, BO, CILLA)
    assert stages.shred_old_files.fn()["files received"] == 0
    assert len(list(place.zone.stored(Area.ARCHIVE))) == 2
    long_ago = datetime(2024, 1, 1, tzinfo=ZoneInfo("UTC"))
    with place.warehouse.write() as connection:
        for table, column in (("core_patron_version", "ended_at"), ("core_patron_change", "changed_at")):
            connection.execute(sa.update(metadata.tables[table]).values({column: long_ago}))
        delivery = metadata.tables["raw_delivery"]
        connection.execute(sa.update(delivery).where(delivery.c.delivery_id == 1).values(received_at=long_ago))
    counts = stages.forget_earlier_values.fn()
    assert counts["earlier persons"] == 1
    assert counts["values of changes"] > 0
    assert "Nyvoll" in persons(place.warehouse, INSTITUTION)[ADA_ID]["family_name"]
    assert rows(
        place.warehouse, "SELECT count(*) FROM core_patron_change WHERE old IS NOT NULL OR new IS NOT NULL"
    ) == [(0,)]


def test_a_file_that_was_rejected_before_the_person_was_known_is_told_of_and_shredded(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-03")
    name = f"{SOURCE}_{place.today:%Y%m%d}.csv"
    unused = file_of(*EVERYBODY).decode("cp1252").encode()  # in another character set than agreed
    (found,) = sync(place, SOURCE, [land(place, SOURCE, name, unused)])
    assert found.state == "rejected"
    place = open_place(today="2025-03-04")
    send(place, *EVERYBODY)
    owe(place, f"{ADA_ID};0;0;0;0;0")
    with place.warehouse.snapshot() as connection:
        ada = find_person(connection, INSTITUTION, ADA_ID, place.today)
        document = disclose(connection, ada, place.register, place.now)
    assert [row["delivery_id"] for row in document["files received"]["rows"]] == [1, 2]
    assert "Bruvoll" in words_left(place.warehouse, place)
    done = erase(place)
    assert done.obstacles == ()
    assert done.files is not None
    assert done.files["files received"] == 2
    assert words_left(place.warehouse, place) == set()


def test_who_is_erased_here_and_still_in_the_library_system_is_not_known_again(
    open_place: OpenPlace, tmp_path: Path
) -> None:
    (night,) = patron_fortnight(tmp_path / "sample", days=DAYS[:1], sizes=SMALL)
    stock = night.stocks["VEST"].read_bytes()
    place = open_place(today=DAYS[0].isoformat())
    land(place, "VESTALMA", night.stocks["VEST"].name, stock)
    assert library_systems.take_read_back.fn("VESTSTUD")["found"] > 100
    one = min(persons(place.warehouse, "VEST"))
    with place.warehouse.write() as connection:
        # Somebody of whom a document is due, so that a synchronise file with the person goes out.
        connection.execute(sa.text("UPDATE core_patron SET version = 2 WHERE institution = 'VEST'"))
    assert library_systems.write_out.fn("VESTSTUD")["sent"] > 100
    owed = io.StringIO("\n".join((";".join(COLUMNS), f"{one};0;0;0;0;0")))
    take_obligations(place.warehouse, "VEST", owed, place.settings.as_of(), "owed.csv")
    done = erase(place, one, "VEST")
    assert done.obstacles == ()
    assert done.files is not None
    assert (done.files["files received"], done.files["files sent"]) == (1, 1)
    assert list(place.zone.stored(Area.EXPORTS)) == []

    place = open_place(today=DAYS[1].isoformat())
    land(place, "VESTALMA", f"VEST_{DAYS[1]:%Y%m%d}.xml", stock)
    taken = library_systems.take_read_back.fn("VESTSTUD")
    assert (taken["found"], one in persons(place.warehouse, "VEST")) == (0, False)
