"""From a `Message` to the e-mail that is sent: headers, encodings, parts. Nothing here sends.

The same message rendered twice is the same but for its Date: its Message-ID comes from its dedup key, so a receiver
that gets it twice after a crash can see that it is one.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from email.header import Header
from email.headerregistry import Address, AddressHeader
from email.message import EmailMessage
from email.policy import EmailPolicy

from schemas.errors import SamkatError
from tasks.notices.message import Message, message_id, one_line

_MAX_SUBJECT = 200


class _MailPolicy(EmailPolicy):
    """The standard library's policy for SMTP, but for subjects and sender names outside ASCII.

    Its folding loses or doubles blanks between encoded words (cpython issues 121284 and 136052); the older `Header`
    encodes such a text as a whole, and keeps them.
    """

    def fold(self, name: str, value: str) -> str:
        """See `EmailPolicy.fold`."""
        if name == "Subject" and not value.isascii():
            return f"{name}: {_encoded(value, name)}\r\n"
        if name == "From" and isinstance(value, AddressHeader) and not str(value).isascii():
            sender = value.addresses[0]
            return f"{name}: {_encoded(sender.display_name, name)}\r\n <{sender.addr_spec}>\r\n"
        folded: str = super().fold(name, value)
        return folded

    def fold_binary(self, name: str, value: str) -> bytes:
        """See `EmailPolicy.fold_binary`."""
        if name in ("Subject", "From"):
            return self.fold(name, value).encode("ascii")
        return super().fold_binary(name, value)


def _encoded(text: str, header: str) -> str:
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")


_POLICY = _MailPolicy(linesep="\r\n")


class AddressError(SamkatError):
    """An address that no e-mail can be sent to or from. It is not repeated: addresses are not logged."""


def render_email(message: Message, catalogue_name: str, sender: str, date: datetime) -> EmailMessage:
    """The e-mail: multipart/alternative (text, HTML), inside multipart/mixed where files are attached.

    `date` is an instant with a time zone. Raises AddressError where recipient or sender is not one address.
    """
    if date.tzinfo is None:
        raise ValueError("the date of an e-mail needs a time zone")
    email = EmailMessage(policy=_POLICY)
    email["From"] = _address(sender, "sender", catalogue_name)
    email["To"] = _address(message.recipient, "recipient")
    subject = one_line(message.subject)
    email["Subject"] = subject if len(subject) <= _MAX_SUBJECT else f"{subject[:_MAX_SUBJECT]}…"
    email["Date"] = date
    email["Message-ID"] = message_id(message.dedup_key, sender)
    # RFC 3834: written by a program; the second header is how Exchange is told not to answer with out-of-office.
    email["Auto-Submitted"] = "auto-generated"
    email["X-Auto-Response-Suppress"] = "All"
    email["X-Samkat-Notice"] = one_line(str(message.kind))
    email.set_content(message.text, charset="utf-8", cte="quoted-printable")
    email.add_alternative(message.html, subtype="html", charset="utf-8", cte="quoted-printable")
    for attachment in message.attachments:
        maintype, _, subtype = attachment.media_type.partition("/")
        email.add_attachment(
            attachment.content,
            maintype=maintype,
            subtype=subtype or "octet-stream",
            filename=one_line(attachment.name),
            params={"charset": "utf-8"} if maintype == "text" else None,
        )
    # Last: setting or nesting content moves every Content-* header to the inner part.
    email["Content-Language"] = one_line(message.language)
    _fix_boundaries(email, message.dedup_key)
    return email


def is_address(text: str) -> bool:
    """Whether an e-mail can be sent to `text`: one plain address with a domain that has a dot."""
    try:
        return "." in _address(text, "recipient").domain.strip(".")
    except AddressError:
        return False


def _address(text: str, whose: str, display_name: str = "") -> Address:
    """One plain address, `name@domain`. Line ends, lists and comments are refused, whatever stored them."""
    local, at, domain = text.partition("@")
    is_plain = at and local and domain and not any(each.isspace() or each in '",;:<>()[]\\' for each in text)
    if is_plain and text.isprintable() and text.count("@") == 1:
        try:
            return Address(display_name=one_line(display_name), username=local, domain=_ascii_domain(domain))
        except (ValueError, UnicodeError, IndexError):
            pass
    raise AddressError(f"the {whose}'s address is not an e-mail address", remedy="correct it in the register")


def _ascii_domain(domain: str) -> str:
    return domain if domain.isascii() else domain.encode("idna").decode("ascii")


def _fix_boundaries(email: EmailMessage, dedup_key: str) -> None:
    """Boundaries from the dedup key in place of random ones, so that the same message has the same bytes."""
    stem = hashlib.sha256(f"boundary|{dedup_key}".encode()).hexdigest()[:24]
    multiparts = [part for part in email.walk() if part.is_multipart()]
    for number, part in enumerate(multiparts):
        part.set_boundary(f"=_{stem}_{number}")
