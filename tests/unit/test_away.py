"""Which faults pass, and how long what surrounds the stages waits for them: errors as the real drivers raise them."""

from __future__ import annotations

import socket

import httpx
import psycopg
import pytest
import sqlalchemy as sa

from schemas.errors import SamkatError
from tasks.stage import is_passing as is_passing_for_a_stage
from tasks.warehouse.away import is_passing, patiently
from tasks.warehouse.engine import CONNECTION, connect


@pytest.fixture
def nobody_listens() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_server_that_is_away_passes_and_one_that_refuses_the_password_does_not(nobody_listens: int) -> None:
    warehouse = connect(f"postgresql://night:word@127.0.0.1:{nobody_listens}/samkat")
    with pytest.raises(sa.exc.OperationalError) as away, warehouse.read():
        pass
    assert is_passing(away.value)
    refused = psycopg.OperationalError(
        'connection failed: connection to server at "db", port 5432 failed: FATAL:  password authentication failed'
    )
    assert not is_passing(refused)
    assert not is_passing(sa.exc.OperationalError(None, None, refused))


def test_prefects_server_that_is_away_passes_for_a_stage_and_its_refusals_do_not(nobody_listens: int) -> None:
    with pytest.raises(httpx.ConnectError) as away:
        httpx.get(f"http://127.0.0.1:{nobody_listens}/api")
    assert is_passing_for_a_stage(away.value)
    answers = {
        code: httpx.HTTPStatusError("", request=away.value.request, response=httpx.Response(code))
        for code in (401, 404, 500, 503)
    }
    assert {code: is_passing_for_a_stage(each) for code, each in answers.items()} == {
        401: False,
        404: False,
        500: True,
        503: True,
    }


def test_work_is_waited_for_and_told_of_until_it_can_be_done() -> None:
    tries, told = [], []

    def work() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionRefusedError
        return "done"

    assert patiently(work, told.append) == "done"
    assert len(tries) == 3
    assert told == [f"the warehouse is away (ConnectionRefusedError), next try in {seconds} s" for seconds in (1, 2)]


@pytest.mark.parametrize("error", [SamkatError("wrong"), ConnectionRefusedError()])
def test_what_is_wrong_is_not_waited_for_and_patience_has_an_end(error: Exception) -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        raise error

    with pytest.raises(type(error)):
        patiently(work, patience_seconds=0.5)
    assert len(tries) == 1


def test_a_connection_has_an_end_to_every_silence_and_the_url_may_say_otherwise() -> None:
    assert {"connect_timeout", "keepalives_idle", "tcp_user_timeout"} <= CONNECTION.keys()
    quiet = CONNECTION["keepalives_idle"] + CONNECTION["keepalives_interval"] * CONNECTION["keepalives_count"]
    assert quiet <= 60
    known = psycopg.conninfo.conninfo_to_dict(psycopg.conninfo.make_conninfo("", **CONNECTION))
    assert known.keys() == CONNECTION.keys()
