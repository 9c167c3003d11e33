"""The client of Alma's REST API against a server that keeps its documented semantics, faults included."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from pydantic import SecretStr

from schemas.alma_users import CurrentPerson, OutRules
from schemas.errors import ConfigurationError, SamkatError
from tasks.patrons.alma_answers import (
    AlmaAnswerError,
    AlmaAwayError,
    AlmaError,
    AlmaQuotaError,
    AlmaRefusedError,
    error_body,
)
from tasks.patrons.alma_api import AlmaApi, api_of
from tasks.patrons.alma_compose import compose_user
from tasks.patrons.read_back import as_current, edited_paths, read_documents
from tests.unit.alma_client import Clock, api, said, server, stub
from tests.unit.alma_stub import KEY, AlmaStub, Asked, cut_off, cut_off_unseen, page, refusal, silence
from tests.unit.alma_users import aase, outline
from tests.unit.test_patron_targets import target

__all__ = ["server", "stub"]

TWICE = b'<users total_record_count="2">' + b"<user><primary_id>P1</primary_id></user>" * 2 + b"</users>"


def test_a_user_comes_whole_and_the_key_goes_in_the_header(stub: AlmaStub) -> None:
    with api(stub) as client:
        document = client.user("P1")
    assert document
    assert b"<last_name>L</last_name>" in document
    (asked,) = stub.asked
    assert (asked.method, asked.path) == ("GET", "/almaws/v1/users/P1")
    assert asked.parameters == {"user_id_type": "all_unique", "view": "full"}
    assert (asked.headers["Authorization"], asked.headers["Accept"]) == (f"apikey {KEY}", "application/xml")


@pytest.mark.parametrize("primary_id", ["å ø/é", "a%2Fb", "x?y=1#z", "v-1@vestmark.example", "..a"])
def test_an_id_of_any_letters_finds_its_user(stub: AlmaStub, primary_id: str) -> None:
    stub.add(primary_id)
    assert api(stub).user(primary_id)


def test_an_id_that_would_lead_elsewhere_is_not_asked_for(stub: AlmaStub) -> None:
    for primary_id in ("", "..", "."):
        with pytest.raises(AlmaRefusedError):
            api(stub).user(primary_id)
    assert stub.asked == []


@pytest.mark.parametrize("form", ["xml", "json"])
def test_only_the_code_for_not_found_means_that_there_is_no_such_user(stub: AlmaStub, form: str) -> None:
    assert api(stub).user("NOBODY") is None
    stub.faults.append(refusal(400, "401861", form))
    assert api(stub).user("P1") is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((400, "401890"), (400, "401652"), (400, "UNAUTHORIZED"), (401, "UNAUTHORIZED"), (403, "FORBIDDEN")),
        *((404, "401861"), (404, ""), (410, "401861"), (301, ""), (204, ""), (400, "")),
    ],
)
def test_no_other_refusal_ever_means_not_found(stub: AlmaStub, status: int, code: str) -> None:
    stub.faults.append(refusal(status, code) if status != 204 else page(204, b""))
    with pytest.raises(AlmaRefusedError) as caught:
        api(stub).user("P1")
    assert caught.value.status == status
    assert caught.value.codes == ((code,) if code else ())
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    "fault",
    [
        page(200, b"<html><body>Sign in</body></html>"),
        page(200, b'<users total_record_count="0"/>', "application/xml"),
        page(404, b"not found"),
        page(400, b'{"errorList":{"error":"401861"}}', "application/json"),
        refusal(200, "401861"),
        page(302, b""),
    ],
)
def test_an_answer_of_somebody_in_between_is_no_user_and_no_absence(stub: AlmaStub, fault: Any) -> None:
    stub.faults.append(fault)
    with pytest.raises(AlmaError):
        api(stub).user("P1")


@pytest.mark.parametrize(
    "fault",
    [
        refusal(500, "INTERNAL_SERVER_ERROR"),
        refusal(500, "401861"),
        page(502, b"<html>Bad gateway</html>"),
        page(503, b""),
        refusal(429, "PER_SECOND_THRESHOLD"),
        page(408, b""),
        cut_off,
        cut_off_unseen,
        page(200, b"", "application/xml"),
    ],
)
def test_what_may_pass_is_tried_again_with_growing_waits(stub: AlmaStub, fault: Any) -> None:
    clock = Clock()
    stub.faults.extend([fault, fault, fault])
    with api(stub, clock) as client:
        assert client.user("P1")
    assert clock.long_waits() == [1, 2, 4]
    assert len(stub.asked) == 4
    stub.faults.extend([fault] * 6)
    with api(stub) as client, pytest.raises(AlmaAwayError, match="attempt 6"):
        client.user("P1")


def test_a_server_that_says_nothing_is_given_up_after_its_time(stub: AlmaStub) -> None:
    stub.faults.append(silence(0.4))
    with api(stub, timeout_seconds=0.1) as client:
        assert client.user("P1")
    assert len(stub.asked) == 2


def test_nobody_at_the_address_is_away_and_not_an_absence() -> None:
    clock = Clock()
    client = AlmaApi("http://127.0.0.1:9", SecretStr(KEY), clock=clock, sleep=clock.sleep)
    with client, pytest.raises(AlmaAwayError, match="ConnectError"):
        client.user("P1")
    assert clock.long_waits() == [1, 2, 4, 8, 16]


def test_the_server_says_how_long_to_wait(stub: AlmaStub) -> None:
    clock = Clock()
    stub.faults.append(refusal(429, "PER_SECOND_THRESHOLD", Retry_After="7"))
    stub.faults.append(refusal(503, "", Retry_After="Fri, 21 Nov 2025 02:00:30 GMT"))
    with api(stub, clock) as client:
        assert client.user("P1")
    # The second names an instant long ago by the server's own clock: at least a second all the same.
    assert clock.long_waits() == [7, 1]
    stub.faults.append(refusal(503, "", Retry_After="3600"))
    with api(stub, clock) as client, pytest.raises(AlmaAwayError, match="attempt 1"):
        client.user("P1")


def test_a_day_that_is_used_up_ends_at_once(stub: AlmaStub) -> None:
    stub.faults.append(refusal(429, "DAILY_THRESHOLD"))
    with api(stub) as client, pytest.raises(AlmaQuotaError, match="go on tomorrow"):
        client.user("P1")
    assert len(stub.asked) == 1


def test_requests_of_the_day_are_left_to_others(stub: AlmaStub) -> None:
    stub.remaining = 1_002
    with api(stub, keep_requests=1_000) as client:
        assert client.user("P1")
        assert client.user("P1")
        assert client.remaining == 1_000
        with pytest.raises(AlmaQuotaError, match="1,000 are kept for others"):
            client.user("P1")
    assert len(stub.asked) == 2


def test_requests_go_out_at_the_agreed_rate(stub: AlmaStub) -> None:
    clock = Clock()
    with api(stub, clock, requests_per_second=4) as client:
        for _ in range(9):
            client.user("P1")
    assert clock.now == pytest.approx(2.0, abs=0.001)
    assert clock.long_waits() == []


def test_a_user_found_by_somebody_elses_card_is_not_taken_for_it(stub: AlmaStub) -> None:
    with pytest.raises(AlmaAnswerError, match="another user"):
        api(stub).user("CARD2")
    assert api(stub).user("p2")


def test_the_list_is_read_page_by_page(stub: AlmaStub) -> None:
    for number in range(250):
        stub.add(f"Q{number:03}")
    with api(stub) as client:
        assert client.user_ids() == sorted(stub.users)
    assert [each.parameters for each in stub.asked] == [
        {"limit": "100", "offset": offset, "order_by": "primary_id"} for offset in ("0", "99", "198")
    ]


def test_contacts_without_an_id_are_counted_and_not_asked_for(stub: AlmaStub) -> None:
    stub.contacts = 3
    with api(stub) as client:
        assert client.user_ids() == ["P1", "P2"]
        assert client.without_id == 3


def test_an_institution_without_users_has_none(stub: AlmaStub) -> None:
    stub.users.clear()
    assert api(stub).user_ids() == []


@pytest.mark.parametrize("comes", [None, "ZZ"])
def test_a_user_who_goes_while_pages_are_read_hides_nobody(stub: AlmaStub, comes: str | None) -> None:
    for number in range(150):
        stub.add(f"Q{number:03}")

    def goes(asked: Asked) -> None:
        # Everybody after P1 moves up by one, and one falls between the pages; the total may be the same as before.
        if asked.parameters.get("offset") == "99" and stub.users.pop("P1", None) and comes:
            stub.add(comes)

    stub.before_answer = goes
    with api(stub) as client:
        assert client.user_ids() == sorted(stub.users)
    assert len(stub.asked) == 4


@pytest.mark.parametrize(
    "pages",
    [
        [b'<users total_record_count="2"><user><primary_id>P1</primary_id></user></users>'] * 6,
        [b'<users total_record_count="2"/>'] * 3,
        [TWICE] * 3,
    ],
)
def test_a_list_that_never_adds_up_is_no_list(stub: AlmaStub, pages: list[bytes]) -> None:
    stub.faults.extend([page(200, each, "application/xml") for each in pages])
    with api(stub) as client, pytest.raises(AlmaAnswerError, match="did not add up in 3 passes"):
        client.user_ids()
    assert not stub.faults


@pytest.mark.parametrize("body", [b"<users/>", b"<user/>", b"<html/>", b'<users total_record_count="many"/>'])
def test_what_is_no_list_is_not_an_empty_one(stub: AlmaStub, body: bytes) -> None:
    stub.faults.append(page(200, body, "application/xml"))
    with api(stub) as client, pytest.raises(AlmaAnswerError):
        client.user_ids()


def test_all_users_are_read_as_an_export_is(stub: AlmaStub) -> None:
    stub.users["V-1@vestmark.example"] = compose_user(aase()).content
    seen: list[Asked] = []
    stub.before_answer = seen.append
    with api(stub) as client:
        found = list(read_documents(client.users(), OutRules()))
    assert [outline(each) for each in found if isinstance(each, CurrentPerson)] == ["p1", "p2", "v-1@vestmark.example"]
    assert isinstance(found[2], CurrentPerson)
    assert edited_paths(as_current(found[2], aase(), OutRules()), aase()) == set()
    assert len(seen) == 4


def test_who_is_deleted_after_the_list_was_read_is_counted(stub: AlmaStub) -> None:
    with api(stub) as client:
        assert len(list(client.users(["P1", "GONE", "P2"]))) == 2
        assert client.vanished == 1


def test_a_failure_in_the_middle_of_all_users_is_no_end_of_them(stub: AlmaStub) -> None:
    with api(stub) as client:
        users = client.users(["P1", "P2"])
        next(users)
        stub.faults.append(refusal(403, "FORBIDDEN"))
        with pytest.raises(AlmaRefusedError):
            next(users)


FAULTS: list[Any] = [
    *(refusal(400, "401652"), refusal(403, "FORBIDDEN"), refusal(400, "401652", "json"), page(400, b"SECRET1")),
    *(
        [cut_off] * 6,
        [cut_off_unseen] * 6,
        [refusal(500, "SECRET1 is no code")] * 6,
        page(200, b"<user>SECRET1</user>"),
    ),
]


@pytest.mark.parametrize("faults", FAULTS)
def test_neither_key_nor_id_is_in_what_is_raised_or_logged(
    stub: AlmaStub, faults: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stub.add("SECRET1")
    stub.faults.extend(faults if isinstance(faults, list) else [faults])
    with caplog.at_level(logging.DEBUG), api(stub) as client:
        with pytest.raises((SamkatError, AlmaAwayError)) as caught:
            client.user("SECRET1")
        assert client.user("SECRET1")
        shown = said(caught.value) + caplog.text + repr(client) + repr(client.__dict__)
    assert "SECRET1" not in shown.replace('client.user("SECRET1")', "")
    assert KEY not in shown


def test_a_wrong_key_is_told_as_one(stub: AlmaStub) -> None:
    clock = Clock()
    client = AlmaApi(stub.url, SecretStr("other"), clock=clock, sleep=clock.sleep)
    with client, pytest.raises(AlmaRefusedError, match="UNAUTHORIZED"):
        client.user_ids()


def test_a_target_of_the_register_says_where_how_fast_and_how_much(stub: AlmaStub) -> None:
    stub.remaining = 11
    keys = {"base_url": f"{stub.url}/", "api_key": "VEST_ALMA_KEY", "requests_per_second": 25, "keep_requests": 10}
    with api_of(target(kind="alma_api", **keys), SecretStr(KEY)) as client:
        assert client.user("P1")
        with pytest.raises(AlmaQuotaError):
            client.user("P1")


@pytest.mark.parametrize(
    "url",
    [
        *("http://api.library.example", "ftp://api.library.example", "api.library.example", "https://"),
        *("https://user@api.library.example", "https://api.library.example?apikey=1", ""),
    ],
)
def test_the_key_goes_to_no_address_that_others_can_read(url: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        AlmaApi(url, SecretStr(KEY))


def test_errors_are_read_in_both_forms_and_their_messages_never() -> None:
    xml = (
        b'<web_service_result xmlns="http://com/exlibris/urm/general/xmlbeans"><errorList><error><errorCode>1</errorCode>'
        b"<errorMessage>User X</errorMessage><trackingId>E01-1</trackingId></error>"
        b"<error><errorCode>2</errorCode></error></errorList></web_service_result>"
    )
    found = error_body(xml)
    assert (found.codes, found.tracking_ids) == (("1", "2"), ("E01-1",))
    assert found.words() == "error 1, 2, tracking id E01-1"
    assert error_body(b'{"errorList":{"error":[{"errorCode":"3","errorMessage":"User X"}]}}').codes == ("3",)
    for broken in (b"", b"{", b"<a", b"<html/>", b'{"errorList":[]}', b'{"errorList":{"error":[1]}}', b"\xff"):
        assert error_body(broken).codes == ()
