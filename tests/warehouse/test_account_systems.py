"""What goes out about accounts: letters of a sweep, change files, downloads rolled up, titles to be catalogued."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from pathlib import Path

import sqlalchemy as sa
from lxml import etree

from schemas.register.account_rules import AccountSystem
from schemas.warehouse.accounts import core_account, core_account_download, core_account_lending, core_account_reader
from schemas.warehouse.core import core_bib, core_bib_isbn, core_notice
from schemas.warehouse.patrons import core_patron
from tasks.accounts.all_files import ImportReport, take_file
from tasks.accounts.applying import apply_approved
from tasks.accounts.facts import Role
from tasks.accounts.lending import check_lending
from tasks.accounts.letters import Post
from tasks.accounts.outbound import send_changes
from tasks.accounts.store import ACCOUNTS_LOCK, roles_json
from tasks.accounts.summary import expiring_by_month
from tasks.accounts.telling import tell_of_hold, tell_of_requests, tell_of_sweep
from tasks.landing.folder import FolderZone
from tasks.landing.opening import open_zone
from tasks.landing.zone import LandingZone
from tasks.plans.store import approve
from tasks.warehouse.engine import Warehouse
from tests.unit.account_samples import ALMA, LEGIMUS, REGISTER, day
from tests.warehouse.account_night import NOW, made, occasion, sweep, temp


def zone_in(folder: Path) -> LandingZone:
    """A landing zone."""
    zone = open_zone(str(folder / "landing"))
    assert isinstance(zone, FolderZone)
    zone.prepare([])
    return zone


def send(
    warehouse: Warehouse, zone: LandingZone, system: AccountSystem = ALMA, **kept: frozenset[str]
) -> tuple[dict[str, int], list[bytes]]:
    """The change file of a day, and what every such file holds by now."""
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        on = day("2026-06-03")
        counts = send_changes(connection, zone, system, on, now=NOW, run_id=None, institutions=kept)
    with warehouse.read() as connection:
        uris = connection.execute(sa.text("SELECT uri FROM core_account_outbound ORDER BY outbound_id")).scalars().all()
    files = []
    for uri in uris:
        with zone.open(uri) as stream:
            files.append(stream.read())
    return dict(counts), files


def take(warehouse: Warehouse, text: str, system: AccountSystem = LEGIMUS) -> ImportReport:
    """Take a CSV in."""
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        said = occasion("2026-06-03", "import:file.csv", system)
        return take_file(connection, io.BytesIO(text.encode()), "file.csv", said, frozenset({"SOLB", "LUNV"}))


def test_a_sweep_tells_each_library_of_its_own_accounts_and_the_desk_of_the_rest_once(warehouse: Warehouse) -> None:
    made(
        warehouse, temp("2026-05-02"), temp("2026-05-10", library="LUNV"), temp("2026-05-10", library="GONE"),
        {"kind": "shared", "contact": ""}, {"roles": roles_json([Role("acquisition")]), "name": "Åsa Ek"},
    )  # fmt: skip
    sweep(warehouse, "2026-06-03")
    post = Post(REGISTER, ALMA, NOW)
    with warehouse.write() as connection:
        assert tell_of_sweep(connection, post, 1) == {
            "told expired": 1, "told expiring": 2, "told flagged": 1, "told training": 1,
        }  # fmt: skip
        assert tell_of_sweep(connection, post, 1) == {}
        rows = connection.execute(sa.select(core_notice).order_by(core_notice.c.notice_id)).all()
    by_subject = {(row.recipient, row.subject): row for row in rows}
    assert {row.recipient for row in rows} == {"medier@solberg.example", "inkop@lundviken.example", ALMA.support}
    expired = by_subject["medier@solberg.example", "1 konto i Alma har gått ut"]
    assert "user1" in expired.body_text
    assert "user2" not in expired.body_text
    training = by_subject[ALMA.support, "1 konto i Alma: utbildning rekommenderas"]
    assert "Åsa Ek" in training.body_html


def test_the_operator_is_told_once_of_what_waits_with_the_commands_that_decide(warehouse: Warehouse) -> None:
    made(warehouse, *[temp("2026-05-02") for _ in range(11)])
    for on in ("2026-06-03", "2026-06-04"):
        sweep(warehouse, on)
    post = Post(REGISTER, ALMA, NOW)
    with warehouse.write() as connection:
        assert tell_of_hold(connection, post, 1) == {"held": 1}
        assert tell_of_hold(connection, post, 2) == {}
        (row,) = connection.execute(sa.select(core_notice)).all()
        (plan,) = connection.execute(sa.text("SELECT plan_hash FROM core_plan")).scalars()
    assert row.recipient == REGISTER.catalogue.operator
    assert row.subject == "Väntar på godkännande: ändringar av konton i Alma"
    assert f"samkat plans approve {plan[:12]}" in row.body_text
    assert "11 of 11 accounts would be left to expire" in row.body_text


def test_what_was_approved_later_is_told_to_its_library_then(warehouse: Warehouse) -> None:
    made(warehouse, *[temp("2026-05-02") for _ in range(11)])
    sweep(warehouse, "2026-06-03")
    post = Post(REGISTER, ALMA, NOW)
    with warehouse.write(ACCOUNTS_LOCK) as connection:
        assert tell_of_sweep(connection, post, 1) == {}
        (plan,) = connection.execute(sa.text("SELECT plan_hash FROM core_plan")).scalars()
        approve(connection, plan, "Anna", NOW)
        apply_approved(connection, plan, "expire", now=NOW)
        assert tell_of_sweep(connection, post, 1) == {}
        assert tell_of_sweep(connection, post, 1, plan) == {"told expired": 1}
        assert tell_of_sweep(connection, post, 1, plan) == {}


def test_who_asked_for_an_account_is_answered_with_what_is_missing(warehouse: Warehouse) -> None:
    report = take(warehouse, "login,library,name,email,tasks\nbo,LUNV,,bo@lundviken.example,loans\n", ALMA)
    with warehouse.write() as connection:
        assert tell_of_requests(connection, Post(REGISTER, ALMA, NOW), report.import_id, day("2026-06-03")).total() == 1
        (row,) = connection.execute(sa.select(core_notice)).all()
    assert row.recipient == "bo@lundviken.example"
    assert "Gäller: personens namn" in row.body_text
    assert "resten är utfört" not in row.body_text


def test_who_is_not_given_a_role_reads_that_the_rest_of_the_request_was_done(warehouse: Warehouse) -> None:
    text = "login,library,kind,owner,contact,tasks,roles\ndesk,LUNV,shared,Bo,bo@lundviken.example,loans,acquisition\n"
    report = take(warehouse, text, ALMA)
    with warehouse.write() as connection:
        tell_of_requests(connection, Post(REGISTER, ALMA, NOW), report.import_id, day("2026-06-03"))
        (row,) = connection.execute(sa.select(core_notice)).all()
    assert row.subject == "En beställning av konto i Alma kunde inte beviljas som den är"
    assert "Gäller: acquisition: en behörighet som ett sådant konto inte får ha; resten är utfört" in row.body_text
    assert "Skicka igen dem där något saknas." in row.body_text


def test_a_change_file_holds_what_changed_since_the_last_one_and_no_more(warehouse: Warehouse, tmp_path: Path) -> None:
    zone = zone_in(tmp_path)
    made(warehouse, {"login": "eva", "roles": roles_json([Role("mediator")])}, temp("2026-05-02"), system=LEGIMUS)
    assert send(warehouse, zone, LEGIMUS)[0] == {"sent": 2}
    assert send(warehouse, zone, LEGIMUS)[0] == {}
    sweep(warehouse, "2026-06-03", LEGIMUS)
    counts, files = send(warehouse, zone, LEGIMUS)
    assert counts == {"sent": 1}
    assert files[-1].decode().splitlines() == [
        "login,library,kind,is_valid,valid_to,roles,name,email", "user2,SOLB,personal,no,2026-06-02,,,",
    ]  # fmt: skip
    assert b"eva,SOLB,personal,yes,,mediator,," in files[0]


def test_alma_gets_documents_with_the_roles_that_are_in_force(warehouse: Warehouse, tmp_path: Path) -> None:
    made(
        warehouse,
        {"login": "eva", "name": "Eva Maria Lind", "email": "eva@solberg.example",
         "roles": roles_json([Role("fulfilment"), Role("users", "LUNV")])},
        {"login": "left", "leaver_on": "2026-06-01", "roles": roles_json([Role("fulfilment")])},
    )  # fmt: skip
    sweep(warehouse, "2026-06-03")
    counts, (file,) = send(warehouse, zone_in(tmp_path))
    assert counts == {"sent": 2}
    users = etree.fromstring(file)
    eva, left = users.findall("user")
    assert (eva.findtext("first_name"), eva.findtext("last_name")) == ("Eva Maria", "Lind")
    assert [(each.findtext("role_type"), each.findtext("scope")) for each in eva.iter("user_role")] == [("32", "SOLB")]
    assert (left.findtext("status"), list(left.iter("user_role"))) == ("INACTIVE", [])


def test_whom_the_patron_sync_keeps_in_alma_is_left_to_it_and_neither_sweeps_the_others(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    made(warehouse, {"login": "Eva"}, temp("2026-05-02"), {"login": "nora", "library": "NORU"})
    _patron(warehouse, "SOLU", "eva")
    _patron(warehouse, "LUNU", "user2")
    _patron(warehouse, "NORU", "nora")
    with warehouse.read() as connection:
        before = connection.execute(sa.select(core_patron)).all()
    sweep(warehouse, "2026-06-03")
    zone = zone_in(tmp_path)
    counts, (file,) = send(warehouse, zone, SOLB=frozenset({"SOLU"}), LUNV=frozenset({"LUNU"}))
    assert counts == {"sent": 2, "left to the patron sync": 1}
    # Of nora's institution nothing is written to Alma: her staff account is the only one to say anything.
    assert [each.text for each in etree.fromstring(file).iter("primary_id")] == ["user2", "nora"]
    assert send(warehouse, zone, SOLB=frozenset({"SOLU"}))[0] == {"left to the patron sync": 1}
    with warehouse.read() as connection:
        assert connection.execute(sa.select(core_patron)).all() == before


def _patron(warehouse: Warehouse, institution: str, primary_id: str) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    needed = {
        each.name: "{}" for each in core_patron.columns
        if not each.nullable and each.server_default is None and isinstance(each.type, sa.Text)
    }  # fmt: skip
    own = {"institution": institution, "primary_id": primary_id, "primary_key": primary_id, "state": "active"}
    own["account_type"] = "EXTERNAL"
    days = {"state_since": day("2026-01-01"), "expires_on": day("2026-01-02"), "look_on": day("2026-01-03")}
    with warehouse.write() as connection:
        number = connection.execute(sa.select(sa.func.count()).select_from(core_patron)).scalar_one() + 1
        values = needed | own | days | {"person_id": number, "version": 1, "created_at": at, "updated_at": at}
        connection.execute(sa.insert(core_patron).values(**values))


def test_downloads_are_counted_by_library_and_month_and_of_who_read_what_nothing_is_kept(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "eva"}, {"login": "solberg", "kind": "shared"}, system=LEGIMUS)
    text = (
        "login,title_number,isbn,purpose,day\neva,C1,9789129688313,lending,2026-05-30\n"
        "eva,C1,,lending,2026-05-31\nsolberg,C2,,streaming,2026-06-01\neva,C9,,own,2026-06-01\nno,C1,,own,2026-06-01\n"
    )
    report = take(warehouse, text)
    assert (report.counts["created"], report.counts["quarantined"]) == (4, 1)
    assert take(warehouse, text).is_repeat
    take(warehouse, "login,title_number,isbn,purpose,day\neva,C1,,lending,2026-04-02\n")
    with warehouse.read() as connection:
        download = core_account_download.c
        rows = connection.execute(
            sa.select(download.library, download.month, download.purpose, download.downloads)
            .order_by(download.month, download.purpose)
        ).all()  # fmt: skip
        lent = connection.execute(sa.select(core_account_lending)).all()
        used = dict(connection.execute(sa.select(core_account.c.login, core_account.c.last_used_on)).tuples().all())
    assert [tuple(row) for row in rows] == [
        ("SOLB", date(2026, 4, 1), "lending", 1), ("SOLB", date(2026, 5, 1), "lending", 2),
        ("SOLB", date(2026, 6, 1), "own", 1), ("SOLB", date(2026, 6, 1), "streaming", 1),
    ]  # fmt: skip
    (title,) = lent
    assert (title.title_number, title.isbn13, title.downloads) == ("C1", "9789129688313", 3)
    assert (title.first_on, title.last_on) == (date(2026, 4, 2), date(2026, 5, 31))
    # Of a person nothing; of the shared login that it is used.
    assert used == {"eva": None, "solberg": date(2026, 6, 1)}


def test_titles_that_are_lent_and_not_catalogued_are_told_before_the_statistics_are_wrong(warehouse: Warehouse) -> None:
    made(warehouse, {"login": "eva"}, system=LEGIMUS)
    take(
        warehouse,
        "login,title_number,isbn,purpose,day\neva,C1,978-91-29-68831-3,lending,2026-05-30\n"
        "eva,C2,9789129723540,lending,2026-05-30\neva,C3,,lending,2026-05-30\n",
    )
    _bib(warehouse, 7, "9789129688313")
    post = Post(REGISTER, LEGIMUS, NOW)
    with warehouse.write() as connection:
        assert check_lending(connection, post, day("2026-06-03")) == {"not catalogued": 2, "told lending": 1}
        assert check_lending(connection, post, day("2026-06-04")) == {"not catalogued": 2}
        table = core_account_lending.c
        found = connection.execute(sa.select(table.title_number, table.bib_id).order_by(table.title_number)).all()
    assert [tuple(row) for row in found] == [("C1", 7), ("C2", None), ("C3", None)]


def _bib(warehouse: Warehouse, bib_id: int, isbn: str) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    needed = {
        each.name: "" for each in core_bib.columns
        if not each.nullable and each.server_default is None and isinstance(each.type, sa.Text)
    }  # fmt: skip
    with warehouse.write() as connection:
        values = needed | {"bib_id": bib_id, "version": 1, "change_no": 1, "created_at": at, "updated_at": at}
        more = {"content_hash": b"", "record": b"", "content": b""}
        values |= {name: each for name, each in more.items() if name in core_bib.c}
        connection.execute(sa.insert(core_bib).values(**values))
        connection.execute(
            sa.insert(core_bib_isbn).values(
                bib_id=bib_id, seq=1, isbn13=isbn, raw=isbn, subfield="a", qualifier="", status="valid"
            )
        )


def test_a_registrar_has_readers_of_the_own_library_only_and_only_after_the_course(warehouse: Warehouse) -> None:
    role = roles_json([Role("registrar", "", day("2026-03-01"))])
    made(warehouse, {"login": "eva", "roles": role}, {"login": "bo"}, on="2026-03-01", system=LEGIMUS)
    take(warehouse, "login,course,trained_on\neva,web-course,2026-04-01\n")
    report = take(
        warehouse,
        "reader,registrar,library,made_on\n1,eva,SOLB,2026-04-02\n2,eva,SOLB,2026-03-30\n3,eva,LUNV,2026-04-02\n"
        "4,bo,SOLB,2026-04-02\n",
    )
    assert report.counts["created"] == 1
    assert [(each.line, each.cause) for each in report.rejects] == [
        (3, "is no registrar on that day"), (4, "is not the registrar's own"), (5, "is no registrar on that day"),
    ]  # fmt: skip
    with warehouse.read() as connection:
        assert connection.execute(sa.select(core_account_reader.c.reader_key)).scalars().all() == ["1"]


def test_what_expires_in_the_next_twelve_months_is_counted_by_library(warehouse: Warehouse) -> None:
    made(warehouse, temp("2026-05-02"), temp("2027-03-15"), temp("2026-06-20", library="LUNV"), temp("2027-05-01"))
    with warehouse.read() as connection:
        found = expiring_by_month(connection, "alma", day("2026-06-01"))
    assert found == {"LUNV": [0, 1] + [0] * 10, "SOLB": [1] + [0] * 9 + [1, 0]}
