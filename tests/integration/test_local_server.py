"""The Prefect server of a HOME, really started: once, reused, survived, stopped, and nothing outside HOME."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config.settings import Settings
from deployments.local_server import (
    USUAL_PORTS,
    ServerAddress,
    ServerError,
    client_environment,
    ensure_server,
    server_status,
    stop_server,
)
from deployments.login import authorization, known_login, login_file
from tests.integration.servers import ask

pytestmark = pytest.mark.integration

ENSURE = """
import json, sys
from config.settings import load_settings
from deployments.local_server import ensure_server
address = ensure_server(load_settings(), lambda line: print(line, file=sys.stderr))
assert "prefect" not in sys.modules
print(json.dumps([address.api_url, address.started]))
"""

TRIVIAL_FLOW = """
from prefect import flow, task

@task
def shelve(title):
    return title.upper()

@flow(name="trivial")
def trivial():
    return shelve("the flounder")

print(trivial())
"""


@pytest.fixture(autouse=True)
def no_other_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a server given by the environment nor a person's own Prefect profile plays a part."""
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "SAMKAT_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "user"))


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """Settings with a fresh HOME, whose server is gone after the test."""
    settings = Settings(home=tmp_path / "home")
    yield settings
    stop_server(settings)


def servers_of(settings: Settings) -> list[psutil.Process]:
    """Processes that work in HOME/prefect, zombies included where they are ours."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(settings.prefect_home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def start_ensuring(settings: Settings) -> subprocess.Popen[str]:
    environment = {**os.environ, "SAMKAT_HOME": str(settings.home)}
    return subprocess.Popen([sys.executable, "-c", ENSURE], env=environment, stdout=subprocess.PIPE, text=True)


def run_trivial_flow(settings: Settings, address: ServerAddress) -> str:
    environment = {**os.environ, **client_environment(settings, address)}
    done = subprocess.run(
        [sys.executable, "-c", TRIVIAL_FLOW],
        env=environment,
        cwd=settings.home,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def flow_runs(settings: Settings, address: ServerAddress) -> list[tuple[str, str]]:
    found = ask(address.api_url, "/flow_runs/filter", {}, login=known_login(settings.prefect_home))
    return [(run["state"]["name"], run["state"]["type"]) for run in found]


def refusal(url: str, **headers: str) -> int:
    """The status with which a request without a body is refused."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10)
    return refused.value.code


def test_a_server_is_started_once_runs_flows_and_leaves_everything_in_home(settings: Settings, tmp_path: Path) -> None:
    told: list[str] = []
    address = ensure_server(settings, told.append)
    assert address.started
    assert told[0].startswith(f"Starting a Prefect server for {settings.home} in the background")

    assert run_trivial_flow(settings, address) == "THE FLOUNDER"
    assert flow_runs(settings, address) == [("Completed", "COMPLETED")]
    with urllib.request.urlopen(address.ui_url, timeout=10) as page:
        assert b"<title>Prefect Server</title>" in page.read()
    with urllib.request.urlopen(f"{address.ui_url}/ui-settings", timeout=10) as answer:
        assert json.load(answer)["api_url"] == address.api_url

    told.clear()
    again = ensure_server(settings, told.append)
    assert (again.api_url, again.started, told) == (address.api_url, False, [])
    status = server_status(settings)
    assert (status.state, status.is_answering, status.address) == ("running", True, again)
    assert [process.pid for process in servers_of(settings)] == [status.pid]

    assert stop_server(settings)
    assert servers_of(settings) == []
    assert not psutil.pid_exists(status.pid or 0)
    assert server_status(settings).state == "stopped"
    assert not stop_server(settings)

    assert sorted(entry.name for entry in (tmp_path / "user").iterdir()) == []
    assert {"prefect.db", "server.log"} <= {entry.name for entry in settings.prefect_home.iterdir()}
    assert [entry.name for entry in settings.home.iterdir()] == ["prefect"]


def test_only_who_has_the_login_gets_in_and_every_change_needs_a_token(settings: Settings) -> None:
    told: list[str] = []
    address = ensure_server(settings, told.append)
    login = known_login(settings.prefect_home)
    assert address.has_login
    assert login is not None
    assert login_file(settings.prefect_home).stat().st_mode & 0o777 == 0o600
    assert refusal(f"{address.api_url}/admin/settings") == 401
    wrong = authorization("samkat:guessed")
    assert refusal(f"{address.api_url}/admin/settings", **wrong) == 401
    forged = urllib.request.Request(
        f"{address.api_url}/flow_runs/filter", b"{}", {"Content-Type": "application/json", **authorization(login)}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(forged, timeout=10)
    assert refused.value.code == 403
    assert run_trivial_flow(settings, address) == "THE FLOUNDER"
    assert flow_runs(settings, address) == [("Completed", "COMPLETED")]

    assert stop_server(settings)
    assert ensure_server(settings).has_login
    assert known_login(settings.prefect_home) == login
    written = [path for path in settings.prefect_home.rglob("*") if path.is_file() and path.name != "login"]
    assert not [path for path in written if login.split(":")[1].encode() in path.read_bytes()]
    assert login.split(":")[1] not in " ".join(told)


def test_a_demonstration_asks_for_no_login_and_its_server_is_used_as_it_is(settings: Settings) -> None:
    address = ensure_server(settings, with_login=False)
    assert not address.has_login
    assert not login_file(settings.prefect_home).exists()
    assert "PREFECT_API_AUTH_STRING" not in client_environment(settings, address)
    assert not ensure_server(settings).has_login
    assert ask(address.api_url, "/flow_runs/filter", {}) == []


def test_two_commands_at_once_start_one_server_past_a_stale_port_file(settings: Settings) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    settings.prefect_home.mkdir(parents=True)
    stale = {"port": taken.getsockname()[1], "pid": bystander.pid}
    (settings.prefect_home / "server.json").write_text(json.dumps(stale))
    try:
        both = [start_ensuring(settings), start_ensuring(settings)]
        answers = [json.loads(each.communicate(timeout=150)[0]) for each in both]
        assert sorted(started for _, started in answers) == [False, True]
        assert answers[0][0] == answers[1][0] != f"http://127.0.0.1:{stale['port']}/api"
        assert len(servers_of(settings)) == 1
        # The commands that started it have ended; the server has not.
        assert server_status(settings).is_answering
        assert stop_server(settings)
        assert servers_of(settings) == []
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
        taken.close()


def test_a_killed_server_is_started_again_on_its_port_with_its_runs(settings: Settings) -> None:
    address = ensure_server(settings)
    run_trivial_flow(settings, address)
    place = place_in_a_limit(settings, address)
    pid = server_status(settings).pid
    assert pid is not None
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert server_status(settings).state == "stopped"
    # It was killed with its lock in hand, and its number belongs to another process by now.
    (settings.prefect_home / "concurrency_leases" / "expirations.lock").write_text(str(os.getpid()))

    again = ensure_server(settings)
    assert (again.api_url, again.started) == (address.api_url, True)
    assert flow_runs(settings, again) == [("Completed", "COMPLETED")]
    # Prefect breaks off a run that cannot renew its place: here it raises.
    ask(again.api_url, f"/v2/concurrency_limits/leases/{place}/renew", {"lease_duration": 300}, login_of(settings))


def login_of(settings: Settings) -> str | None:
    return known_login(settings.prefect_home)


def place_in_a_limit(settings: Settings, address: ServerAddress) -> str:
    """Id of a place such as runs of a deployment with a limit have."""
    ask(address.api_url, "/v2/concurrency_limits/", {"name": "one", "limit": 1}, login_of(settings))
    wanted = {"names": ["one"], "slots": 1, "mode": "concurrency", "lease_duration": 300}
    given = ask(address.api_url, "/v2/concurrency_limits/increment-with-lease", wanted, login_of(settings))
    return str(given["lease_id"])


def test_two_homes_have_two_servers(settings: Settings, tmp_path: Path) -> None:
    other = Settings(home=tmp_path / "other")
    try:
        both = [start_ensuring(settings), start_ensuring(other)]
        answers = [json.loads(each.communicate(timeout=150)[0]) for each in both]
        assert [started for _, started in answers] == [True, True]
        assert answers[0][0] != answers[1][0]
        assert stop_server(settings)
        assert server_status(other).is_answering
    finally:
        stop_server(other)


def test_a_server_that_cannot_start_is_an_error_with_its_last_words_and_leaves_no_process(settings: Settings) -> None:
    settings.prefect_home.mkdir(parents=True)
    (settings.prefect_home / "prefect.db").write_bytes(b"this is no database" * 1000)
    began = time.monotonic()
    with pytest.raises(
        ServerError, match=r"server\.log: the Prefect server ended while it started: .*file is not a database"
    ):
        ensure_server(settings)
    assert time.monotonic() - began < 60
    assert servers_of(settings) == []
    assert server_status(settings).state == "stopped"


def test_the_port_is_one_of_the_usual_ones_or_the_one_asked_for(settings: Settings) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asked = settings.model_copy(update={"prefect_port": port})
    assert ensure_server(asked).api_url == f"http://127.0.0.1:{port}/api"
    # A running server is used wherever it is.
    assert ensure_server(settings).api_url == f"http://127.0.0.1:{port}/api"
    assert 4200 in USUAL_PORTS
