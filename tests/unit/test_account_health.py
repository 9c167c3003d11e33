"""A system's status page, asked over real HTTP: what counts as trouble, in words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from schemas.register.account_rules import TargetHealth
from tasks.accounts.health import trouble_of

Answering = Callable[[int, str], str]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Starts a status page that answers so; returns its URL."""
    servers: list[HTTPServer] = []

    def start(status: int, body: str) -> str:
        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        server = HTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/status"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "path", "trouble"),
    [
        (200, "anything", "", ""),
        (503, "", "", "its status page answers 503"),
        (200, '{"status": {"indicator": "none"}}', "status.indicator", ""),
        (200, '{"status": {"indicator": "major"}}', "status.indicator", "its status page says major"),
        (200, '{"status": []}', "status.indicator", "its status page does not say status.indicator"),
        (200, "<html>", "status.indicator", "its status page is not JSON"),
    ],
)
def test_a_status_page_says_whether_a_system_is_well(
    answering: Answering, status: int, body: str, path: str, trouble: str
) -> None:
    assert trouble_of(TargetHealth(url=answering(status, body), path=path)) == trouble


def test_a_status_page_that_is_not_there_is_trouble() -> None:
    assert trouble_of(TargetHealth(url="http://127.0.0.1:9/", timeout_seconds=1)).startswith("its status page does not")
