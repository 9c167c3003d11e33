"""The intake service over HTTP, on SQLite: tokens, limits, receipts, problems; the page's examples; a silent log."""

from __future__ import annotations

import json
import logging
import re
import shlex
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import sqlalchemy as sa

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from deployments.intake.app import create_app
from deployments.intake.described import EXAMPLE_PATCH, EXAMPLE_PERSON, EXAMPLE_XML
from deployments.intake.service import IntakeService
from schemas.register.register import Register
from tasks.patrons.intake_tokens import add_token, revoke_token
from tasks.warehouse.engine import Warehouse

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would like a package that is not needed here
    from starlette.testclient import TestClient

PAGE = (Path(__file__).parents[2] / "docs" / "intake.md").read_text("utf-8")
DAY = date(2025, 3, 14)
NOW = datetime(2025, 3, 14, 9, 30, tzinfo=UTC)
BERG = "anna.berg@vestmark.example"
PERSONS = "/v1/institutions/VEST/persons"
SECRET = "Hemligh"
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def register() -> Register:
    return read_register(SAMPLE_REGISTER)


@pytest.fixture
def warehouse_url(sqlite_template: Path, tmp_path: Path) -> str:
    """SQLite alone: what the transaction does is tried on both engines in test_patron_instant.py."""
    file = tmp_path / "warehouse.db"
    file.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{file}"


@dataclass
class Intake:
    """The service with a client and a token of VESTSTUD."""

    warehouse: Warehouse
    service: IntakeService
    client: TestClient
    token: str
    keys: int = 0

    def ask(
        self, method: str, path: str = f"{PERSONS}/{BERG}", body: Any = None, *, key: str | None = "",
        token: str | None = "", kind: str = "application/json", **headers: str,
    ) -> Any:  # fmt: skip
        """One request; a new key and the good token unless they are given (None: without)."""
        self.keys += 1
        sent = {"Content-Type": kind, **headers} if body is not None else dict(headers)
        if key is not None:
            sent["Idempotency-Key"] = key or f"key-{self.keys}"
        if token is not None:
            sent["Authorization"] = f"Bearer {token or self.token}"
        content = body if isinstance(body, str | bytes) or body is None else json.dumps(body)
        return self.client.request(method, path, content=content, headers=sent)


@pytest.fixture
def intake(warehouse: Warehouse, register: Register) -> Iterator[Intake]:
    with warehouse.write() as connection:
        _, token = add_token(connection, "VEST", "VESTSTUD", "a test", NOW)
    service = IntakeService(warehouse, register, b"s" * 32, lambda: DAY, lambda: NOW, max_body_bytes=4_000)
    with TestClient(create_app(service, rate=500)) as client:
        yield Intake(warehouse, service, client, token)


def problem(answer: Any, status: int, rule: str) -> dict[str, Any]:
    """The problem document of an answer, which is one."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    document: dict[str, Any] = answer.json()
    assert (document["status"], document["type"]) == (status, f"urn:samkat:intake:{rule}")
    assert document["detail"]
    return document


def test_a_person_is_put_patched_and_leaves_and_each_receipt_can_be_asked_for(intake: Intake) -> None:
    made = intake.ask("PUT", body=EXAMPLE_PERSON)
    assert (made.status_code, made.json()["rule"], made.json()["version"]) == (201, "created", 1)
    changed = intake.ask("PATCH", body=EXAMPLE_PATCH, kind="application/merge-patch+json; charset=utf-8")
    assert (changed.status_code, changed.json()["rule"]) == (200, "changed")
    left = intake.ask("DELETE")
    assert (left.status_code, left.json()["rule"]) == (200, "changed")
    for each in (made, changed, left):
        again = intake.ask("GET", each.headers["location"], key=None)
        assert (again.status_code, again.json()) == (200, each.json())


def test_xml_is_taken_as_json_is(intake: Intake) -> None:
    assert intake.ask("PUT", body=EXAMPLE_XML, kind="application/xml").status_code == 201
    assert intake.ask("PATCH", body="<user><first_name/></user>", kind="text/xml").status_code == 200


def test_the_same_request_has_the_same_answer_and_another_under_its_key_is_refused(intake: Intake) -> None:
    first = intake.ask("PUT", body=EXAMPLE_PERSON, key="k1")
    again = intake.ask("PUT", body=EXAMPLE_PERSON, key="k1")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    for other in (
        intake.ask("PUT", body=EXAMPLE_PERSON | {"last_name": "Lind"}, key="k1"),
        intake.ask("PATCH", body=EXAMPLE_PERSON, key="k1"),
        intake.ask("DELETE", key="k1"),
    ):
        assert problem(other, 409, "key_taken")["field"] == "Idempotency-Key"


def test_a_refusal_is_a_receipt_too_and_stays_one(intake: Intake) -> None:
    first = problem(intake.ask("PATCH", body={"first_name": "Anna"}, key="k1"), 404, "unknown")
    intake.ask("PUT", body=EXAMPLE_PERSON)
    assert problem(intake.ask("PATCH", body={"first_name": "Anna"}, key="k1"), 404, "unknown") == first
    receipt = intake.ask("GET", f"/v1/receipts/{first['receipt_id']}", key=None).json()
    assert (receipt["state"], receipt["rule"]) == ("refused", "unknown")


def test_without_a_good_token_nothing_is_read_or_told(intake: Intake) -> None:
    for token in (None, "samkat-wrong", "x" * 5000):
        answer = intake.ask("PUT", body=EXAMPLE_PERSON, token=token)
        assert answer.headers["www-authenticate"] == "Bearer"
        problem(answer, 401, "no_token")
        problem(intake.ask("GET", "/v1/receipts/1", token=token), 401, "no_token")


def test_a_token_that_is_revoked_or_over_opens_nothing(intake: Intake) -> None:
    with intake.warehouse.write() as connection:
        _, over = add_token(connection, "VEST", "VESTSTUD", "over", NOW, date(2025, 3, 13))
        number, revoked = add_token(connection, "VEST", "VESTSTUD", "revoked", NOW)
        _, strange = add_token(connection, "VEST", "NORUPERS", "a source of another institution", NOW)
        revoke_token(connection, number, NOW)
    for token in (over, revoked, strange):
        problem(intake.ask("PUT", body=EXAMPLE_PERSON, token=token), 401, "no_token")


def test_a_token_reaches_its_own_institution_and_the_receipts_of_its_own_source_alone(intake: Intake) -> None:
    with intake.warehouse.write() as connection:
        _, other = add_token(connection, "NORU", "NORUPERS", "another", NOW)
    made = intake.ask("PUT", body=EXAMPLE_PERSON)
    problem(intake.ask("PUT", body=EXAMPLE_PERSON, token=other), 403, "not_yours")
    problem(intake.ask("GET", made.headers["location"], token=other), 404, "no_receipt")
    problem(intake.ask("GET", "/v1/receipts/999"), 404, "no_receipt")


def test_a_key_is_needed_and_is_short_and_printable(intake: Intake) -> None:
    for key in (None, "a b", "x" * 201):
        assert problem(intake.ask("PUT", body=EXAMPLE_PERSON, key=key), 400, "no_key")["field"] == "Idempotency-Key"


def test_the_kind_of_the_body_decides_and_others_are_refused(intake: Intake) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "json"):
        assert problem(intake.ask("PUT", body=EXAMPLE_PERSON, kind=kind), 415, "content_type")["remedy"]
    problem(intake.ask("PUT", body=EXAMPLE_XML, kind="application/json"), 422, "unreadable")


def test_a_body_over_the_limit_is_refused_chunked_or_not(intake: Intake) -> None:
    problem(intake.ask("PUT", body=b"x" * 4001), 413, "too_large")
    headers = {"Authorization": f"Bearer {intake.token}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    parts = (b"x" * 1000 for _ in range(5))
    problem(intake.client.put(f"{PERSONS}/{BERG}", content=parts, headers=headers), 413, "too_large")


def test_who_asks_too_often_is_told_when_to_go_on(warehouse: Warehouse, register: Register) -> None:
    with warehouse.write() as connection:
        _, token = add_token(connection, "VEST", "VESTSTUD", "a test", NOW)
    service = IntakeService(warehouse, register, b"s" * 32, lambda: DAY, lambda: NOW)
    with TestClient(create_app(service, rate=0.5)) as client:
        busy = Intake(warehouse, service, client, token)
        assert busy.ask("GET", "/v1/receipts/1").status_code == 404
        answer = busy.ask("PUT", body=EXAMPLE_PERSON)
        problem(answer, 429, "too_often")
        assert int(answer.headers["retry-after"]) in (1, 2)
        assert busy.ask("GET", "/health", token=None).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("path", "status", "rule"),
    [
        ("/v1/receipts/Hemligh", 422, "bad_value"),
        ("/Hemligh", 404, "no_such_address"),
        (f"{PERSONS}/Hemligh?id_type=Hemligh", 405, "no_such_method"),
    ],
)
def test_addresses_that_are_none_are_problems_too_and_quote_nothing(
    path: str, status: int, rule: str, intake: Intake
) -> None:
    answer = intake.ask("GET", path)
    problem(answer, status, rule)
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"last_name": "Berg", "user_group": SECRET}, "application/json"),
        ({"last_name": [SECRET], "user_group": "student"}, "application/json"),
        ({SECRET: SECRET}, "application/json"),
        (f'{{"last_name": "{SECRET}', "application/json"),
        (f"<user><expiry_date>{SECRET}</expiry_date></user>", "application/xml"),
        (f"<user><last_name>{SECRET}", "application/xml"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem_that_quotes_nothing_and_stores_nothing(
    body: Any, kind: str, intake: Intake
) -> None:
    answer = intake.ask("PUT", f"{PERSONS}/{SECRET}", body=body, kind=kind)
    assert answer.status_code == 422
    assert answer.json()["remedy"]
    assert SECRET not in answer.text
    with intake.warehouse.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM raw_patron_receipt")).scalar_one() == 0


def test_a_warehouse_that_is_away_is_said_so_with_a_time_to_come_again(intake: Intake) -> None:
    with intake.warehouse.write() as connection:
        connection.execute(sa.text("ALTER TABLE raw_patron_receipt RENAME TO away"))
    answer = intake.ask("PUT", body=EXAMPLE_PERSON)
    assert problem(answer, 503, "away")["remedy"]
    assert int(answer.headers["retry-after"]) > 0


def test_a_fault_of_the_service_quotes_nothing_in_answer_and_log(
    intake: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    intake.ask("PUT", body=EXAMPLE_PERSON | {"last_name": SECRET})
    with intake.warehouse.write() as connection:
        connection.execute(sa.text(f"UPDATE core_patron SET document = '{{\"{SECRET}\": 1}}'"))
    answer = intake.ask("PATCH", body={"last_name": SECRET})
    problem(answer, 500, "failed")
    assert SECRET not in answer.text + caplog.text
    assert "a request failed: KeyError at" in caplog.text


def test_the_log_has_a_line_a_request_with_the_person_as_a_keyed_hash(
    intake: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="samkat.intake")
    intake.ask("PUT", body=EXAMPLE_PERSON)
    intake.ask("DELETE", f"{PERSONS}/{BERG.upper()}")
    intake.ask("PUT", body=EXAMPLE_PERSON, token="wrong")
    said = [each.getMessage() for each in caplog.records if each.name == "samkat.intake"]
    first, second, third = (re.fullmatch(r"(PUT|DELETE) (VEST [0-9a-f]{12}|-) (\d+) in \d+ ms", each) for each in said)
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first[2], third[2]) == (second[2], "-")
    assert "berg" not in " ".join(said).lower()


def test_an_id_may_hold_whatever_an_address_can(intake: Intake) -> None:
    strange = "a/b cü+@vestmark.example"
    body = {"last_name": "Berg", "user_group": "student"}
    assert intake.ask("PUT", f"{PERSONS}/{quote(strange, safe='')}", body=body).status_code == 201
    with intake.warehouse.read() as connection:
        assert connection.execute(sa.text("SELECT primary_id FROM core_patron")).scalar_one() == strange


# What the page and the OpenAPI say.


def curls() -> list[tuple[str, str]]:
    """(command, the answer that the page shows behind it)."""
    return re.findall(r"```sh\n(curl .*?)```.*?```json\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_of_the_page_do_what_it_says(intake: Intake) -> None:
    played = []
    for command, shown in curls():
        words = shlex.split(command.replace("\\\n", " ").replace("$TOKEN", intake.token))
        method = words[words.index("-X") + 1]
        address = next(urlsplit(each) for each in words if each.startswith("https://"))
        headers = dict(words[place + 1].split(": ", 1) for place, word in enumerate(words) if word == "-H")
        body = words[words.index("-d") + 1] if "-d" in words else None
        path = f"{address.path}?{address.query}" if address.query else address.path
        answer = intake.client.request(method, path, headers=headers, content=body)
        assert answer.status_code in (200, 201), answer.text
        assert json.loads(shown).items() <= answer.json().items()
        played.append(method)
    assert played == ["PUT", "PATCH", "PATCH", "DELETE"]


def test_the_description_has_every_operation_with_its_errors_and_none_that_quotes(intake: Intake) -> None:
    described = intake.client.get("/openapi.json").json()
    address = described["paths"]["/v1/institutions/{institution}/persons/{person_id}"]
    assert address.keys() == {"put", "patch", "delete"}
    for operation in address.values():
        assert {"200", "202", "400", "401", "403", "404", "409", "422", "429", "503"} <= operation["responses"].keys()
    assert address["put"]["requestBody"]["content"]["application/json"]["example"] == EXAMPLE_PERSON
    text = json.dumps(described)
    assert "HTTPValidationError" not in text
    for name in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert name in described["components"]["schemas"]


def test_the_page_tells_of_every_status_that_the_description_has(intake: Intake) -> None:
    described = intake.client.get("/openapi.json").json()
    statuses = {
        status
        for operations in described["paths"].values()
        for operation in operations.values()
        for status in operation["responses"]
    }
    errors = PAGE.split("\n## Errors\n", 1)[1].split("\n## ", 1)[0]
    told = set(re.findall(r"^\| (\d{3}) \|", errors, re.MULTILINE))
    assert {each for each in statuses if each >= "400"} <= told


def test_the_page_tells_of_every_rule_by_which_an_update_is_refused() -> None:
    source = "".join(
        (Path(__file__).parents[2] / "tasks" / "patrons" / f"{name}.py").read_text("utf-8")
        for name in ("instant", "instant_batch")
    )
    rules = set(re.findall(r'Outcome\("refused", "(\w+)"', source)) | {"rejected", "taken", "resting", "erased"}
    assert len(rules) >= 8
    table = PAGE.split("why it was refused", 1)[1].split("\n\n", 1)[0]
    assert rules <= set(re.findall(r"`(\w+)`", table))
