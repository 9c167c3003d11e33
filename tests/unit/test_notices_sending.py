"""Sending: .eml files written once, and a real SMTP server on loopback that accepts, refuses, breaks, wants TLS."""

from __future__ import annotations

import datetime as dt
import logging
import os
import socket
import ssl
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from schemas.errors import ConfigurationError
from tasks.notices.message import Message, NoticeKind
from tasks.notices.outbox import render_email
from tasks.notices.sending import EmlFolder, PassingMailError, PermanentMailError, SmtpSender, mail_sender
from tests.unit.notices_samples import CATALOGUE, SENDER

AT = dt.datetime(2025, 11, 21, 6, 30, tzinfo=dt.UTC)
PASSWORD = "p@ss/w:rd"


def an_email(recipient: str = "kontakt@storstad.example", key: str = "k1", at: dt.datetime = AT) -> EmailMessage:
    message = Message(
        NoticeKind.DIGEST, recipient, "8 titlar från Nordbök", "sv", "Hemligt\n", "<p>Hemligt</p>", (), key
    )
    return render_email(message, CATALOGUE, SENDER, at)


class TestEmlFolder:
    def test_a_message_becomes_a_file_that_mail_programs_open(self, tmp_path: Path) -> None:
        EmlFolder(tmp_path / "outbox").send(an_email())
        (path,) = (tmp_path / "outbox").iterdir()
        assert path.name == (
            "2025-11-21-digest-kontakt-at-storstad.example-8-titlar-fran-Nordbok-" + path.stem[-12:] + ".eml"
        )
        read = message_from_bytes(path.read_bytes(), policy=default)
        assert read["Subject"] == "8 titlar från Nordbök"

    def test_the_same_message_is_written_once_whatever_its_date_and_whoever_writes(self, tmp_path: Path) -> None:
        first = EmlFolder(tmp_path)
        first.send(an_email())
        first.send(an_email(at=AT + dt.timedelta(days=1)))
        EmlFolder(tmp_path).send(an_email(at=AT + dt.timedelta(days=2)))
        assert len(list(tmp_path.iterdir())) == 1

    def test_different_messages_are_different_files_even_with_the_same_subject(self, tmp_path: Path) -> None:
        folder = EmlFolder(tmp_path)
        for key in ("k1", "k2", "k3"):
            folder.send(an_email(key=key))
        assert len(list(tmp_path.glob("*.eml"))) == 3

    def test_a_hostile_recipient_or_subject_cannot_leave_the_folder(self, tmp_path: Path) -> None:
        email = an_email()
        del email["Subject"]
        email["Subject"] = "../../../etc/passwd"
        EmlFolder(tmp_path / "a" / "b").send(email)
        assert [path.name.endswith(".eml") for path in (tmp_path / "a" / "b").iterdir()] == [True]

    def test_a_half_written_file_is_not_taken_for_the_message(self, tmp_path: Path) -> None:
        folder = EmlFolder(tmp_path)
        folder.send(an_email())
        (written,) = tmp_path.iterdir()
        written.rename(written.with_suffix(".4711.part"))
        EmlFolder(tmp_path).send(an_email())
        assert len(list(tmp_path.glob("*.eml"))) == 1

    def test_a_folder_that_cannot_be_written_is_a_passing_error_that_names_it(self, tmp_path: Path) -> None:
        (tmp_path / "outbox").write_text("a file in its place")
        with pytest.raises(PassingMailError, match="could not be written") as caught:
            EmlFolder(tmp_path / "outbox").send(an_email())
        assert "storstad" not in str(caught.value).replace(str(tmp_path), "")


class Server:
    """A mail server that refuses by recipient: `full@` for now, `gone@` for good, `drop@` by hanging up."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.connections: set[Any] = set()

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.connections.add(session.peer)
        local = address.partition("@")[0]
        if local == "full":
            return "452 4.2.2 <full@storstad.example> mailbox of full has no room"
        if local == "gone":
            return "550 5.1.1 <gone@storstad.example>: no such user gone"
        if local == "drop":
            assert server.transport is not None
            server.transport.close()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if envelope.rcpt_tos == ["filter@storstad.example"]:
            return "554 5.7.1 message looks like spam"
        if envelope.rcpt_tos == ["busy@storstad.example"]:
            return "451 4.3.0 try again later"
        self.envelopes.append(envelope)
        return "250 OK"


@pytest.fixture
def server() -> Iterator[tuple[Server, Controller]]:
    handler = Server()
    yield from running(handler)


class LoopbackController(Controller):
    """Takes a free port: the port that the system chose for port 0 is known once the server listens."""

    def _trigger_server(self) -> None:
        self.port = port(self)
        super()._trigger_server()


def running(handler: Server, **options: Any) -> Iterator[tuple[Server, Controller]]:
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    controller = LoopbackController(handler, hostname="127.0.0.1", port=0, **options)
    controller.start()
    try:
        yield handler, controller
    finally:
        controller.stop()


def port(controller: Controller) -> int:
    assert controller.server is not None
    number: int = controller.server.sockets[0].getsockname()[1]
    return number


def address(controller: Controller, scheme: str = "smtp", user: str = "") -> str:
    return f"{scheme}://{user}127.0.0.1:{port(controller)}"


class TestSmtp:
    def test_a_message_arrives_as_it_was_rendered(self, server: tuple[Server, Controller]) -> None:
        handler, controller = server
        with SmtpSender(address(controller)) as sender:
            sender.send(an_email())
        (envelope,) = handler.envelopes
        assert envelope.mail_from == SENDER
        assert envelope.rcpt_tos == ["kontakt@storstad.example"]
        content = envelope.content
        assert isinstance(content, bytes)
        assert content == an_email().as_bytes()

    @pytest.mark.parametrize(
        ("recipient", "error", "said"),
        [
            ("full", PassingMailError, "refused the recipient: 452 4.2.2 (address) mailbox of (address) has no room"),
            ("busy", PassingMailError, "refused the message: 451 4.3.0 try again later"),
            ("gone", PermanentMailError, "refused the recipient: 550 5.1.1 (address): no such user (address)"),
            ("filter", PermanentMailError, "refused the message: 554 5.7.1 message looks like spam"),
        ],
    )
    def test_a_refusal_says_whether_to_try_again_and_names_no_address(
        self, server: tuple[Server, Controller], recipient: str, error: type[Exception], said: str
    ) -> None:
        with SmtpSender(address(server[1])) as sender, pytest.raises(error) as caught:
            sender.send(an_email(f"{recipient}@storstad.example"))
        assert str(caught.value) == f"the mail server {said}"

    def test_one_bad_recipient_does_not_stop_its_neighbours(self, server: tuple[Server, Controller]) -> None:
        handler, controller = server
        outcomes = []
        with SmtpSender(address(controller)) as sender:
            for recipient in ("a", "gone", "b", "full", "c", "filter", "d"):
                try:
                    sender.send(an_email(f"{recipient}@storstad.example"))
                    outcomes.append("sent")
                except (PassingMailError, PermanentMailError) as error:
                    outcomes.append(type(error).__name__)
        assert outcomes == [
            "sent",
            "PermanentMailError",
            "sent",
            "PassingMailError",
            "sent",
            "PermanentMailError",
            "sent",
        ]
        assert [each.rcpt_tos[0][0] for each in handler.envelopes] == ["a", "b", "c", "d"]
        assert len(handler.connections) == 1

    def test_a_connection_that_breaks_is_passing_and_the_next_message_gets_a_new_one(
        self, server: tuple[Server, Controller]
    ) -> None:
        handler, controller = server
        with SmtpSender(address(controller)) as sender:
            with pytest.raises(PassingMailError, match="the connection broke while sending"):
                sender.send(an_email("drop@storstad.example"))
            sender.send(an_email())
        assert len(handler.envelopes) == 1
        assert len(handler.connections) == 2

    def test_a_server_that_went_away_in_between_is_found_again(self, server: tuple[Server, Controller]) -> None:
        handler, controller = server
        with SmtpSender(address(controller)) as sender:
            sender.send(an_email())
            assert sender._connection is not None
            assert sender._connection.sock is not None
            sender._connection.sock.shutdown(socket.SHUT_RDWR)
            sender.send(an_email(key="k2"))
        assert len(handler.envelopes) == 2

    def test_no_server_is_a_passing_error(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            number = free.getsockname()[1]
        with pytest.raises(PassingMailError, match="no connection to the mail server: Connection refused"):
            SmtpSender(f"smtp://127.0.0.1:{number}").send(an_email())

    def test_a_server_that_never_answers_is_given_up(self) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            sender = SmtpSender(f"smtp://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.2)
            with pytest.raises(PassingMailError, match="no connection to the mail server"):
                sender.send(an_email())

    def test_starttls_is_demanded_when_the_url_says_so(self, server: tuple[Server, Controller]) -> None:
        handler, controller = server
        with pytest.raises(PassingMailError, match="does not offer what the URL asks for"):
            SmtpSender(address(controller, "smtp+starttls")).send(an_email())
        assert handler.envelopes == []

    def test_addresses_and_bodies_are_not_logged(
        self, server: tuple[Server, Controller], caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG), SmtpSender(address(server[1])) as sender:
            sender.send(an_email())
        ours = [each.getMessage() for each in caplog.records if not each.name.startswith(("mail.log", "asyncio"))]
        assert ours == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, made for this run."""
    import ipaddress

    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.samkatalogen.example")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    key_path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return certificate_path, key_path


def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def check_login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"samkat@x", PASSWORD.encode()), handled=False)


@pytest.fixture
def tls_server(certificate: tuple[Path, Path]) -> Iterator[tuple[Server, Controller]]:
    yield from running(
        Server(),
        tls_context=server_tls(certificate),
        require_starttls=True,
        auth_required=True,
        authenticator=check_login,
    )


class TestTls:
    USER = f"{quote('samkat@x', safe='')}:{quote(PASSWORD, safe='')}@"

    def test_starttls_with_log_in(self, tls_server: tuple[Server, Controller], certificate: tuple[Path, Path]) -> None:
        handler, controller = tls_server
        trust = ssl.create_default_context(cafile=str(certificate[0]))
        with SmtpSender(address(controller, "smtp+starttls", self.USER), tls=trust) as sender:
            sender.send(an_email())
        assert len(handler.envelopes) == 1

    def test_a_wrong_password_is_passing_because_the_message_is_not_to_blame(
        self, tls_server: tuple[Server, Controller], certificate: tuple[Path, Path]
    ) -> None:
        trust = ssl.create_default_context(cafile=str(certificate[0]))
        with pytest.raises(PassingMailError, match=r"the mail server refused the log-in \(535\)") as caught:
            SmtpSender(address(tls_server[1], "smtp+starttls", "samkat:wrong@"), tls=trust).send(an_email())
        assert "wrong" not in str(caught.value)

    def test_a_certificate_that_is_not_trusted_is_not_accepted(self, tls_server: tuple[Server, Controller]) -> None:
        with pytest.raises(PassingMailError, match="TLS failed"):
            SmtpSender(address(tls_server[1], "smtp+starttls", self.USER)).send(an_email())

    def test_tls_from_the_first_byte(self, certificate: tuple[Path, Path]) -> None:
        trust = ssl.create_default_context(cafile=str(certificate[0]))
        for handler, controller in running(Server(), ssl_context=server_tls(certificate)):
            with SmtpSender(address(controller, "smtps"), tls=trust) as sender:
                sender.send(an_email())
            assert len(handler.envelopes) == 1


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mail.example", "unknown kind of mail server ''"),
        ("http://mail.example", "unknown kind of mail server 'http'"),
        ("smtp://", "needs a host"),
        ("smtp://user:secret@/", "needs a host"),
        ("smtp://mail.example/path", "needs a host and nothing after it"),
        ("smtp://user:secret@mail.example:99999", "not a URL"),
        ("smtp://user:secret@mail.example:abc", "not a URL"),
    ],
)
def test_a_wrong_url_is_told_at_the_start_without_its_password(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match="SMTP_URL") as caught:
        SmtpSender(url)
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


def test_without_a_url_messages_go_to_the_folder(tmp_path: Path) -> None:
    assert isinstance(mail_sender(None, tmp_path), EmlFolder)
    assert isinstance(mail_sender("", tmp_path), EmlFolder)
    assert isinstance(mail_sender("smtp://mail.example", tmp_path), SmtpSender)


def test_files_are_written_by_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        names.extend(path.name for path in tmp_path.iterdir())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    EmlFolder(tmp_path).send(an_email())
    assert [name.endswith(".part") for name in names] == [True]
