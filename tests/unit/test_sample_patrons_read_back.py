"""The sample's library system: what it exports after what was sent and what staff did, as our reader understands it."""

from __future__ import annotations

import io
import re
from datetime import date
from pathlib import Path

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from deployments.sample.encoding import zipped
from deployments.sample.patrons import DAYS, PatronDay, StaffEdit, patron_fortnight, read_back_export
from deployments.sample.patrons.alma import document, identifier, user_xml
from deployments.sample.patrons.stage import EditKind
from schemas.alma_users import AlmaUser, CurrentPerson, OutRules
from schemas.patrons import ABSENT, IncomingPerson
from schemas.register.patron_sources import PatronSource
from tasks.patrons.alma_compose import compose_user
from tasks.patrons.read_back import as_current, edited_paths, read_export
from tasks.patrons.reading import FileTotals, read_persons

REGISTER = read_register(SAMPLE_REGISTER)
ALMA = PatronSource(code="READBACK", name="x", contact="a@b.example", institution="NORU", format="bups2")
EMAIL = (
    '<emails><email preferred="true" segment_type="External"><email_address>siv@nordhavet.example</email_address>'
    "<email_types><email_type>work</email_type></email_types></email></emails>"
)
SIV = user_xml(
    {"primary_id": "NB1", "first_name": "Siv", "last_name": "Ask", "user_group": "student"},
    EMAIL,
    identifier("feide", "n1@nordhavet.example"),
    "",
)
ROLES = "<user_roles><user_role><role_type>32</role_type></user_role></user_roles>"


def _read(content: bytes) -> dict[str, IncomingPerson]:
    totals = FileTotals()
    found = list(read_persons(io.BytesIO(content), "users.xml", ALMA, totals))
    assert totals.defects == []
    assert [each for each in found if not isinstance(each, IncomingPerson)] == []
    return {str(each.value("primary_id")): each for each in found if isinstance(each, IncomingPerson)}


def _edit(kind: EditKind, path: str, value: str | None, of: str = "NB1", item_type: str = "") -> StaffEdit:
    return StaffEdit(date(2025, 3, 5), "NORU", of, kind, path, value, "desk", "", item_type)


def _items(person: IncomingPerson, path: str) -> list[tuple[str, str, str]]:
    """(type, key, segment)"""
    return [(each.type, each.key, each.segment) for each in person.items(path) or ()]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> PatronDay:
    """The first day, with the stock of the library systems."""
    return patron_fortnight(tmp_path_factory.mktemp("first"), DAYS[:1])[0]


def test_the_first_read_back_holds_nearly_everybody_as_the_files_have_them(first: PatronDay) -> None:
    held = {institution: _read(path.read_bytes()) for institution, path in first.stocks.items()}
    # One in fifty is new, two work at both places, three accounts are staff's.
    assert {institution: len(users) for institution, users in held.items()} == {
        "NORU": 460 - 9 + 60 - 1 - 2 + 3,
        "VEST": 300 - 6 + 3,
    }
    staff = [who for who, user in held["NORU"].items() if user.value("account_type") == "INTERNAL"]
    assert staff == ["noru-desk-1", "noru-desk-2", "noru-desk-3"]
    assert held["VEST"]["V-000010"].value("pref_first_name") == "Immy"


def test_edits_of_the_whole_fortnight_can_be_made_in_the_stock(tmp_path: Path, first: PatronDay) -> None:
    days = patron_fortnight(tmp_path, DAYS)
    for institution, stock in first.stocks.items():
        content = read_back_export(stock, [edit for day in days for edit in day.edits_at(institution)])
        users = _read(content)
        if institution == "NORU":
            assert _items(users["NB00000022"], "emails") == []
            assert ("home", "070-1740699".replace("-", ""), "internal") in _items(users["NB00000023"], "phones")
            assert _items(users["NB00000023"], "user_notes") == [("POPUP", "har lånat projektorn", "internal")]
            assert users["NB00000024"].value("user_group") == "phd"
        else:
            assert users["V-000012"].value("expiry_date") == date(2025, 12, 31)
            assert users["V-000013"].value("last_name") == "Thistlewicke"


def test_values_are_set_in_their_place_and_cleared() -> None:
    changed = read_back_export(
        document([SIV]), [_edit("set", "pref_first_name", "Sivan"), _edit("clear", "user_group", None)]
    )
    text = changed.decode()
    assert text.index("<last_name>") < text.index("<pref_first_name>Sivan</pref_first_name>") < text.index("<contact_")
    assert _read(changed)["NB1"].value("pref_first_name") == "Sivan"
    assert "user_group" not in text


def test_what_was_sent_replaces_a_user_but_for_roles_and_the_internal_segment() -> None:
    held = read_back_export(
        document([SIV.replace("  </user>", ROLES + "</user>")]),
        [
            _edit("add", "phones", "070-1740650", item_type="home"),
            _edit("add", "emails", "siv@nordhavet.example", item_type="work"),
            _edit("set", "user_title", "dr"),
        ],
    )
    sent = document([SIV.replace("student", "employee").replace("siv@", "siv.ask@")])
    now = read_back_export(held, sent=[sent])
    user = _read(now)["NB1"]
    assert (user.value("user_group"), user.value("user_title")) == ("employee", ABSENT)
    assert _items(user, "phones") == [("home", "0701740650", "internal")]
    assert _items(user, "emails") == [
        ("work", "siv.ask@nordhavet.example", "external"),
        ("work", "siv@nordhavet.example", "internal"),
    ]
    assert b"<role_type>32</role_type>" in now


def test_a_rekeyed_user_is_found_by_an_identifier_and_stays_one() -> None:
    now = read_back_export(document([SIV]), sent=[document([SIV.replace("NB1", "NB2")])])
    assert list(_read(now)) == ["NB2"]


def test_several_documents_and_zips_count_as_one_and_users_who_are_not_sent_stay() -> None:
    other = SIV.replace("NB1", "NB9").replace("n1@", "n9@")
    sent = zipped([("1.xml", document([SIV.replace("Ask", "Lid")])), ("2.xml", document([other]))])
    third = SIV.replace("NB1", "NB8").replace("n1@", "n8@")
    users = _read(read_back_export([document([SIV]), document([third])], (), [sent]))
    assert {who: user.value("last_name") for who, user in users.items()} == {"NB1": "Lid", "NB8": "Ask", "NB9": "Ask"}


def test_an_account_is_opened_at_the_desk() -> None:
    user = _read(read_back_export(document([SIV]), [_edit("open", "user", "Gunhild Pilskär", of="NB7")]))["NB7"]
    assert (user.value("first_name"), user.value("last_name")) == ("Gunhild", "Pilskär")
    assert (user.value("account_type"), user.value("user_group")) == ("INTERNAL", "guest")


def test_an_export_of_what_nobody_touched_is_the_same_again() -> None:
    once = read_back_export(document([SIV]))
    assert read_back_export(once) == once


def test_an_edit_of_nobody_and_of_a_list_that_staff_do_not_edit_are_refused() -> None:
    with pytest.raises(ValueError, match="NORU has no user NB2 whom staff could edit on 2025-03-05"):
        read_back_export(document([SIV]), [_edit("set", "user_title", "dr", of="NB2")])
    with pytest.raises(ValueError, match="addresses is no list that staff add to here"):
        read_back_export(document([SIV]), [_edit("add", "addresses", "Gatan 1")])


def test_what_samkat_composes_comes_back_as_nobody_edited_it_and_edits_are_seen(first: PatronDay) -> None:
    stock = first.stocks["NORU"]
    rules = REGISTER.patron_target_by_institution["NORU"].out_rules
    held = _current(stock.read_bytes(), rules)
    written = {who: AlmaUser(each.values, each.lists) for who, each in held.items() if each.is_external}
    sent = document(compose_user(each, rules).content.decode() for each in written.values())
    now = _current(read_back_export(stock, sent=[sent]), rules)
    assert (len(now), len(written)) == (len(held), len(held) - 3)
    assert [who for who, told in written.items() if edited_paths(as_current(now[who], told, rules), told)] == []
    edits = [_edit("set", "pref_first_name", "Nisse", "NB00000001"), _edit("set", "user_group", "x", "NB00000002")]
    address = written["NB00000003"].lists["emails"][0].fields["email_address"]
    edits += [_edit("remove", "emails", address, "NB00000003")]
    edits += [_edit("add", "user_notes", "x", "NB00000004", "POPUP")]
    now = _current(read_back_export(stock, edits, [sent]), rules)
    seen = {who: set(edited_paths(as_current(now[who], told, rules), told)) for who, told in written.items()}
    assert {who: paths for who, paths in seen.items() if paths} == {
        "NB00000001": {"pref_first_name"},
        "NB00000002": {"user_group"},
        "NB00000003": {"emails"},
        "NB00000004": {"user_notes"},
    }


def test_exports_have_the_names_that_the_register_agreed_on(first: PatronDay) -> None:
    for institution, path in first.stocks.items():
        target = REGISTER.patron_target_by_institution[institution]
        assert target.code == path.parent.name
        assert re.fullmatch(target.export.pattern or "", path.name)


def _current(content: bytes, rules: OutRules) -> dict[str, CurrentPerson]:
    found = list(read_export(io.BytesIO(content), "export.xml", rules))
    return {each.primary_id.value: each for each in found if isinstance(each, CurrentPerson)}
