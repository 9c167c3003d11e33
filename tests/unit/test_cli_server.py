"""Which Prefect server is used, and in which environment: what needs no server to be started."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from config.settings import Settings
from deployments.cli.app import run
from deployments.local_server import ServerError, client_environment, ensure_server, server_status, stop_server
from deployments.registry import HEARTBEAT_SECONDS
from schemas.errors import ConfigurationError


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "SAMKAT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SAMKAT_HOME", str(tmp_path / "home"))
    return Settings(home=tmp_path / "home")


class Refusing(BaseHTTPRequestHandler):
    """A server that wants to know who is asking."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def given_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """PREFECT_API_URL of a server elsewhere."""
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/api"
    monkeypatch.setenv("PREFECT_API_URL", url + "/")
    yield url
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def dead_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_that_is_given_is_used_and_nothing_is_started(settings: Settings, given_url: str) -> None:
    address = ensure_server(settings)
    assert (address.api_url, address.started, address.is_own) == (given_url, False, False)
    assert address.ui_url == given_url.removesuffix("/api")
    assert not settings.home.exists()
    assert client_environment(settings, address)["PREFECT_API_URL"] == given_url
    assert "PREFECT_HOME" not in client_environment(settings, address)


def test_a_given_server_that_does_not_answer_is_an_error_not_a_reason_to_start_one(
    settings: Settings, dead_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{dead_port}/api")
    with pytest.raises(ServerError, match=f"no Prefect server answers at http://127.0.0.1:{dead_port}/api"):
        ensure_server(settings)
    status = server_status(settings)
    assert (status.state, status.is_answering) == ("given", False)
    assert not settings.home.exists()


def test_a_given_url_that_is_none_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "localhost:4200")
    with pytest.raises(ConfigurationError, match="'localhost:4200' is not a URL"):
        ensure_server(settings)


def test_a_port_that_is_taken_is_an_error_when_it_was_asked_for(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} is in use by another program"):
            ensure_server(settings.model_copy(update={"prefect_port": port}))
    assert server_status(settings).state == "stopped"


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b'{"port": "x", "pid": 1}', b'{"port": 4200}', b'{"pid": 1}'])
def test_whatever_lies_in_the_port_file_no_server_is_seen_in_it(settings: Settings, left: bytes) -> None:
    settings.prefect_home.mkdir(parents=True)
    (settings.prefect_home / "server.json").write_bytes(left)
    assert server_status(settings).state == "stopped"
    assert not stop_server(settings)


def test_the_environment_of_flows_keeps_prefect_in_home_and_off_the_proxy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet.example,127.0.0.1")
    from deployments.local_server import ServerAddress

    address = ServerAddress("http://127.0.0.1:4207/api", "http://127.0.0.1:4207", started=True, is_own=True)
    environment = client_environment(settings, address)
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4207/api"
    assert environment["PREFECT_HOME"] == str(settings.home / "prefect")
    assert environment["NO_PROXY"] == "intranet.example,127.0.0.1"
    assert environment["no_proxy"] == "127.0.0.1"
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert environment["SAMKAT_HOME"] == str(settings.home)
    assert environment["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(HEARTBEAT_SECONDS)


def test_the_commands_say_that_nothing_runs(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["server", "status"]) == 0
    assert capsys.readouterr().out == "Prefect server: not running; the first command that needs it starts it\n"
    assert run(["server", "stop", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"stopped": False}
    assert not settings.home.exists()
