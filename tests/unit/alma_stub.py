"""A server on loopback that answers as Alma's REST API of users is documented to, with faults that a test puts in.

What the documentation says and this keeps: the key in the header, pages of at most 100 with `total_record_count`, an id
looked for among all unique identifiers, errors as `web_service_result` in XML or JSON, 429 with a code for the second
and for the day, `X-Exl-Api-Remaining`, an update that swaps the whole user but for roles and for fields that staff
edited and `override` does not name.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from lxml import etree

KEY = "l8xx0123456789abcdef-fictional"
DECLARATION = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
Fault = Callable[["_Handler"], None]


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    at: float


@dataclass
class AlmaStub:
    """What the server holds, what it was asked, and the faults with which it answers next."""

    url: str = ""
    users: dict[str, bytes] = field(default_factory=dict)
    """Primary id: `user` element."""
    edited: dict[str, set[str]] = field(default_factory=dict)
    """Primary id: fields that staff edited by hand."""
    contacts: int = 0
    faults: deque[Fault] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    remaining: int = 100_000
    before_answer: Callable[[Asked], None] | None = None

    def add(self, primary_id: str, inside: str = "") -> None:
        """A user."""
        text = f"<user><primary_id>{primary_id}</primary_id><last_name>L</last_name>{inside}</user>"
        self.users[primary_id] = text.encode()

    def found(self, wanted: str) -> str | None:
        """Primary id of whoever has `wanted` as one of all unique identifiers."""
        for primary_id, content in self.users.items():
            user = etree.fromstring(content)
            ids = [primary_id, *(each.text or "" for each in user.iterfind("user_identifiers/user_identifier/value"))]
            if wanted.casefold() in [each.casefold() for each in ids]:
                return primary_id
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stub: AlmaStub

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def answer(self, status: int, body: bytes, kind: str = "application/xml", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind};charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Exl-Api-Remaining", str(self.stub.remaining))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def error(self, status: int, code: str, message: str, form: str = "xml", **headers: str) -> None:
        if form == "json":
            error = {"errorCode": code, "errorMessage": message, "trackingId": "E01-2111102210-ABCDE"}
            body = json.dumps({"errorsExist": True, "errorList": {"error": [error]}, "result": None}).encode()
            self.answer(status, body, "application/json", **headers)
            return
        self.answer(
            status,
            DECLARATION
            + f'<web_service_result xmlns="http://com/exlibris/urm/general/xmlbeans"><errorsExist>true'
            f"</errorsExist><errorList><error><errorCode>{code}</errorCode><errorMessage>{message}</errorMessage>"
            f"<trackingId>E01-2111102210-ABCDE</trackingId></error></errorList></web_service_result>".encode(),
            **headers,
        )

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        parameters = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = Asked(self.command, parts.path, parameters, dict(self.headers), time.monotonic())
        self.stub.asked.append(asked)
        self.stub.remaining -= 1
        if self.stub.before_answer:
            self.stub.before_answer(asked)
        if self.stub.faults:
            self.stub.faults.popleft()(self)
        elif self.headers.get("Authorization") != f"apikey {KEY}":
            self.error(400, "UNAUTHORIZED", "API-key not defined or not configured to allow this API.")
        elif parts.path == "/almaws/v1/users":
            self._list(parameters) if self.command == "GET" else self._create(content)
        else:
            self._one(unquote(parts.path.removeprefix("/almaws/v1/users/")), parameters, content)

    def _list(self, parameters: dict[str, str]) -> None:
        limit, offset = int(parameters.get("limit", 10)), int(parameters.get("offset", 0))
        if not 0 <= limit <= 100:
            self.error(400, "60217", "The limit is not valid.")
            return
        names = [f"no primary id ({number})" for number in range(self.stub.contacts)] + sorted(self.stub.users)
        rows = "".join(
            f'<user link="{self.stub.url}/almaws/v1/users/{name}"><primary_id>{name}</primary_id></user>'
            for name in names[offset : offset + limit]
        )
        self.answer(200, DECLARATION + f'<users total_record_count="{len(names)}">{rows}</users>'.encode())

    def _one(self, wanted: str, parameters: dict[str, str], content: bytes) -> None:
        found = self.stub.found(wanted)
        if found is None:
            self.error(400, "401861", f"User with identifier {wanted} was not found.")
        elif self.command == "GET":
            self.answer(200, DECLARATION + self.stub.users[found])
        else:
            self.stub.users[found] = self._swapped(found, content, set(parameters.get("override", "").split(",")))
            self.answer(200, DECLARATION + self.stub.users[found])

    def _swapped(self, primary_id: str, content: bytes, override: set[str]) -> bytes:
        old, new = etree.fromstring(self.stub.users[primary_id]), etree.fromstring(content)
        kept = self.stub.edited.get(primary_id, set()) - override
        if not new.findall("user_roles/user_role"):
            kept |= {"user_roles"}
        for name in kept:
            for each in new.findall(name):
                new.remove(each)
            new.extend(old.findall(name))
        return etree.tostring(new)

    def _create(self, content: bytes) -> None:
        user = etree.fromstring(content)
        primary_id = user.findtext("primary_id") or ""
        if self.stub.found(primary_id):
            self.error(400, "401851", f"User with identifier {primary_id} of type Primary id already exists.")
            return
        self.stub.users[primary_id] = etree.tostring(user)
        self.answer(200, DECLARATION + self.stub.users[primary_id])


def refusal(status: int, code: str = "", form: str = "xml", **headers: str) -> Fault:
    """An error as the API words it; its message quotes somebody's id, as real ones do."""
    return lambda handler: handler.error(status, code, "User with identifier SECRET1 failed.", form, **headers)


def page(status: int, body: bytes, kind: str = "text/html") -> Fault:
    """What a proxy in between says."""
    return lambda handler: handler.answer(status, body, kind)


def cut_off(handler: _Handler) -> None:
    """The connection breaks in the middle of the body."""
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(DECLARATION + b"<user><primary_id>P1")
    handler.wfile.flush()
    handler.close_connection = True


def cut_off_unseen(handler: _Handler) -> None:
    """The same, and nobody said how long the body would be: only the XML shows it."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(DECLARATION + b"<user><primary_id>P1</primary_id>")
    handler.close_connection = True


def silence(seconds: float) -> Fault:
    """No answer for that long."""

    def wait(handler: _Handler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return wait


@contextmanager
def alma_stub() -> Iterator[AlmaStub]:
    """The server while it runs."""
    stub = AlmaStub()
    handler = type("Handler", (_Handler,), {"stub": stub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
