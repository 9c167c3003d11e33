"""Sending: one small interface, `MailSender`, and its two endings, a folder of .eml files and an SMTP server.

Errors say whether the next attempt may succeed (`PassingMailError`) or not (`PermanentMailError`); they and the log
never carry an address or a body.
"""

from __future__ import annotations

import contextlib
import os
import re
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from schemas.errors import ConfigurationError, SamkatError
from tasks.notices.message import file_name

_TIMEOUT_SECONDS = 30.0
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
_MAX_SERVER_WORDS = 160


class MailError(SamkatError):
    """A message was not sent."""


class PassingMailError(MailError):
    """Not sent, and the message is not to blame: try again later."""


class PermanentMailError(MailError):
    """The server will not take this message: trying again would end in the same way."""


class MailSender(Protocol):
    """Somebody who takes an e-mail to its recipient."""

    def send(self, message: EmailMessage) -> None:
        """Returns when the message has been handed over; raises PassingMailError or PermanentMailError."""
        ...


class EmlFolder:
    """Writes each message as a file that mail programs open. The same Message-ID is written once, whatever its date.

    File names read `2025-11-21-digest-recipient-subject-1a2b3c4d.eml`; the last part is made from the Message-ID.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: set[str] | None = None

    def send(self, message: EmailMessage) -> None:
        """Write the message by an atomic rename. Raises PassingMailError when the folder cannot be written."""
        key = eml_key(str(message["Message-ID"]))
        try:
            if self._written is None:
                self.path.mkdir(parents=True, exist_ok=True)
                self._written = {name[-16:-4] for name in os.listdir(self.path) if name.endswith(".eml")}
            if key not in self._written:
                self._write(self.path / f"{_readable_name(message)}-{key}.eml", message)
                self._written.add(key)
        except OSError as error:
            raise PassingMailError(
                f"the message could not be written: {error.strerror or type(error).__name__}",
                file=str(self.path),
                remedy="check that the folder can be written and the disk is not full",
            ) from error

    def _write(self, path: Path, message: EmailMessage) -> None:
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            with part.open("wb") as stream:
                stream.write(message.as_bytes())
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def eml_key(message_id: str) -> str:
    """The last part of the name of a message's file, before `.eml`: 12 hex digits."""
    return sha256(message_id.encode()).hexdigest()[:12]


class SmtpSender:
    """Sends over SMTP: `smtp://`, `smtp+starttls://` or `smtps://[user:password@]host[:port]`.

    One connection serves many messages and is renewed when the server has closed it; close it with `close` or `with`.
    Whatever goes wrong before the message itself (connection, TLS, log-in) is passing: the message is not to blame.
    """

    def __init__(self, url: str, timeout_seconds: float = _TIMEOUT_SECONDS, tls: ssl.SSLContext | None = None) -> None:
        """Raises ConfigurationError when the URL cannot be used; nothing is connected yet."""
        self._parts = _checked_url(url)
        self._timeout = timeout_seconds
        self._tls = tls or ssl.create_default_context()
        self._connection: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> None:
        """Hand one message to the server."""
        connection = self._connected()
        try:
            connection.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, words = next(iter(error.recipients.values()))
            raise self._refused("recipient", code, words, message) from error
        except smtplib.SMTPSenderRefused as error:
            raise self._refused("sender", error.smtp_code, error.smtp_error, message) from error
        except smtplib.SMTPResponseException as error:
            raise self._refused("message", error.smtp_code, error.smtp_error, message) from error
        except smtplib.SMTPNotSupportedError as error:
            raise PermanentMailError(
                "the server cannot take an address with letters outside ASCII", remedy="correct it in the register"
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise PassingMailError(f"the connection broke while sending: {type(error).__name__}") from error

    def close(self) -> None:
        """End the connection; harmless when there is none."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                connection.quit()
            connection.close()

    def __enter__(self) -> SmtpSender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _connected(self) -> smtplib.SMTP:
        if self._connection is not None and self._is_alive(self._connection):
            return self._connection
        self.close()
        host = self._parts.hostname or ""
        remedy = "check SAMKAT_SMTP_URL and the mail server"
        try:
            self._connection = self._open(host, self._parts.port or _PORTS[self._parts.scheme])
        except smtplib.SMTPAuthenticationError as error:
            raise PassingMailError(f"the mail server refused the log-in ({error.smtp_code})", remedy=remedy) from error
        except smtplib.SMTPResponseException as error:
            raise PassingMailError(f"the mail server is not ready ({error.smtp_code})", remedy=remedy) from error
        except (OSError, smtplib.SMTPException) as error:
            raise PassingMailError(f"no connection to the mail server: {_cause(error)}", remedy=remedy) from error
        return self._connection

    def _open(self, host: str, port: int) -> smtplib.SMTP:
        if self._parts.scheme == "smtps":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=self._timeout, context=self._tls)
        else:
            connection = smtplib.SMTP(host, port, timeout=self._timeout)
        try:
            if self._parts.scheme == "smtp+starttls":
                connection.starttls(context=self._tls)
            if self._parts.username:
                connection.login(unquote(self._parts.username), unquote(self._parts.password or ""))
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def _is_alive(connection: smtplib.SMTP) -> bool:
        """Whether the server still answers; it may have closed an idle connection without a word."""
        try:
            return connection.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def _refused(self, what: str, code: int, words: bytes | str, message: EmailMessage) -> MailError:
        """4xx is for now, 5xx is for good (RFC 5321, 4.2.1)."""
        said = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
        cause = f"the mail server refused the {what}: {code} {_without_addresses(said, message)}".rstrip()
        if code == 421:
            self.close()
        return PermanentMailError(cause) if 500 <= code < 600 else PassingMailError(cause)


def mail_sender(smtp_url: str | None, folder: Path) -> EmlFolder | SmtpSender:
    """The SMTP server where there is one, else the folder. Raises ConfigurationError for a wrong URL."""
    return SmtpSender(smtp_url) if smtp_url else EmlFolder(folder)


def _checked_url(url: str) -> SplitResult:
    """The parts of the URL. The message of the error does not repeat it: it may hold a password."""
    remedy = "write smtp://, smtp+starttls:// or smtps://[user:password@]host[:port]"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError(
            "the address of the mail server is not a URL", field="SMTP_URL", remedy=remedy
        ) from None
    if parts.scheme not in _PORTS:
        raise ConfigurationError(f"unknown kind of mail server {parts.scheme!r}", field="SMTP_URL", remedy=remedy)
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment or port == 0:
        raise ConfigurationError("the mail server needs a host and nothing after it", field="SMTP_URL", remedy=remedy)
    return parts


def _cause(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or type(error).__name__})"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "it does not offer what the URL asks for (STARTTLS or log-in)"
    if isinstance(error, socket.gaierror):
        return "its name is not known"
    return getattr(error, "strerror", None) or type(error).__name__


def _without_addresses(words: str, message: EmailMessage) -> str:
    """The server's words without addresses and without the names in front of their @, on one line."""
    text = re.sub(r"<?[^\s<>]*@[^\s<>]*>?", "(address)", " ".join(words.split()))
    for header in ("To", "From"):
        local = str(message[header]).rpartition("<")[2].partition("@")[0]
        if len(local) > 2:
            text = re.sub(rf"\b{re.escape(local)}\b", "(address)", text, flags=re.IGNORECASE)
    return text[:_MAX_SERVER_WORDS]


def _readable_name(message: EmailMessage) -> str:
    headers = (str(message[name] or "") for name in ("X-Samkat-Notice", "To", "Subject"))
    parts = [_day(str(message["Date"]))]
    parts += [file_name(text.replace("@", "-at-"))[:40].strip("-.") for text in headers]
    return "-".join(parts)


def _day(date: str) -> str:
    try:
        return f"{parsedate_to_datetime(date):%Y-%m-%d}"
    except (ValueError, TypeError):
        return "undated"
