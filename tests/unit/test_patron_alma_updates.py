"""Updates and creates through Alma's REST API: what is laid over a user, sent again, or never sent twice."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from schemas.alma_users import OutRules, StaffRole
from tasks.patrons.alma_answers import (
    AlmaAnswerError,
    AlmaAwayError,
    AlmaRefusedError,
)
from tasks.patrons.alma_compose import compose_user
from tasks.patrons.alma_over import compose_over
from tests.unit.alma_client import api, server, stub
from tests.unit.alma_stub import AlmaStub, cut_off, page, refusal
from tests.unit.alma_users import aase, item

__all__ = ["server", "stub"]


def test_an_update_replaces_what_is_samkats_and_leaves_the_rest(stub: AlmaStub) -> None:
    stub.users["V-1@vestmark.example"] = (
        b"<user><primary_id>V-1@vestmark.example</primary_id><last_name>Old</last_name><gender>F</gender>"
        b"<user_title>dr</user_title><contact_info><emails>"
        b"<email segment_type='External'><email_address>old@vestmark.example</email_address></email>"
        b"<email preferred='true' segment_type='Internal'><email_address>desk@vestmark.example</email_address></email>"
        b"</emails></contact_info><user_roles><user_role><role_type>200</role_type></user_role></user_roles>"
        b"<proxy_for_users><proxy_for_user><primary_id>P1</primary_id></proxy_for_user></proxy_for_users></user>"
    )
    stub.edited["V-1@vestmark.example"] = {"user_title", "user_group"}
    user = aase(values={"user_title": "prof"})
    with api(stub) as client:
        current = client.user("V-1@vestmark.example")
        assert current
        client.replace_user("V-1@vestmark.example", compose_over(current, user))
    root = etree.fromstring(stub.users["V-1@vestmark.example"])
    assert (root.findtext("last_name"), root.findtext("user_title")) == ("Vik & Lund", "prof")
    assert root.find("gender") is None
    assert [(each.findtext("email_address"), each.get("preferred")) for each in root.iter("email")] == [
        ("aase@hjemme.example", "false"),
        ("Aase@vestmark.example", "true"),
        ("desk@vestmark.example", "false"),
    ]
    assert root.findtext("user_roles/user_role/role_type") == "200"
    assert root.findtext("proxy_for_users/proxy_for_user/primary_id") == "P1"
    assert len(root.findall("contact_info/addresses/address")) == 1


def test_an_update_twice_is_the_same_document(stub: AlmaStub) -> None:
    stub.add("V-1@vestmark.example")
    once = compose_over(stub.users["V-1@vestmark.example"], aase())
    assert compose_over(once, aase()) == once
    with_roles = compose_over(once, aase(roles=(StaffRole("221", "VEST"),)))
    assert b"<role_type>221</role_type>" in with_roles
    assert compose_over(with_roles, aase()) == with_roles


def test_what_exports_never_carry_is_left_as_it_is_unless_samkat_knows_it() -> None:
    current = b"<user><primary_id>V-1@vestmark.example</primary_id><pin_number>9</pin_number>"
    current += b"<rs_libraries><rs_library><code>X</code></rs_library></rs_libraries></user>"
    rules = OutRules(not_exported=frozenset({"pin_number", "rs_libraries"}))
    kept = etree.fromstring(compose_over(current, aase(), rules))
    assert (kept.findtext("pin_number"), kept.findtext("rs_libraries/rs_library/code")) == ("9", "X")
    known = aase(values={"pin_number": "1"}, lists={"rs_libraries": (item("rs_libraries", code="Y"),)})
    told = etree.fromstring(compose_over(current, known, rules))
    assert (told.findtext("pin_number"), [each.text for each in told.iter("code")]) == ("1", ["Y"])


@pytest.mark.parametrize("current", [b"<user><primary_id>P1</primary_id></user>", b"<users/>", b"<user>", b""])
def test_an_update_is_never_laid_over_another_user(current: bytes) -> None:
    with pytest.raises(AlmaAnswerError):
        compose_over(current, aase())


def test_an_update_of_nobody_is_refused_and_makes_nobody(stub: AlmaStub) -> None:
    before = dict(stub.users)
    with api(stub) as client, pytest.raises(AlmaRefusedError) as caught:
        client.replace_user("V-1@vestmark.example", compose_user(aase()).content)
    assert caught.value.codes == ("401861",)
    assert stub.users == before


def test_an_update_is_sent_again_after_a_fault(stub: AlmaStub) -> None:
    stub.add("V-1@vestmark.example")
    stub.faults.extend([cut_off, refusal(500, "X")])
    with api(stub) as client:
        client.replace_user("V-1@vestmark.example", compose_user(aase()).content)
    assert [each.method for each in stub.asked] == ["PUT"] * 3
    assert "user_group" in stub.asked[-1].parameters["override"].split(",")


@pytest.mark.parametrize("fault", [cut_off, refusal(500, "X"), page(504, b"")])
def test_a_create_that_may_have_been_done_is_not_sent_again(stub: AlmaStub, fault: Any) -> None:
    stub.faults.append(fault)
    with api(stub) as client, pytest.raises(AlmaAwayError, match="attempt 1"):
        client.create_user(compose_user(aase()).content)
    assert len(stub.asked) == 1


def test_a_create_waits_its_turn_and_tells_of_one_that_is_there(stub: AlmaStub) -> None:
    stub.faults.append(refusal(429, "PER_SECOND_THRESHOLD"))
    with api(stub) as client:
        client.create_user(compose_user(aase()).content)
        assert client.user("V-1@vestmark.example")
        with pytest.raises(AlmaRefusedError) as caught:
            client.create_user(compose_user(aase()).content)
    assert caught.value.codes == ("401851",)
