"""From a message to the e-mail: headers, encodings, attachments, and nothing injected."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.notices.message import (
    Attachment,
    Message,
    NoticeKind,
    attachment_rows,
    attachments_from,
    file_name,
    message_id,
    one_line,
    printable,
)
from tasks.notices.outbox import AddressError, render_email
from tests.unit.notices_samples import CATALOGUE, SENDER

AT = datetime(2025, 11, 21, 6, 30, tzinfo=UTC)


def a_message(**changes: Any) -> Message:
    values: dict[str, Any] = {
        "kind": NoticeKind.DIGEST,
        "recipient": "kontakt@storstad.example",
        "subject": "8 titlar från Nordbok",
        "language": "sv",
        "text": "Räksmörgås\n.\nFrom here\n",
        "html": "<p>Räksmörgås</p>",
        "attachments": (),
        "dedup_key": "digest|run-1|NORDBOK|STO",
    }
    return Message(**(values | changes))


def sent_and_read(message: Message, name: str = CATALOGUE, sender: str = SENDER, at: datetime = AT) -> EmailMessage:
    parsed = message_from_bytes(render_email(message, name, sender, at).as_bytes(), policy=default)
    assert isinstance(parsed, EmailMessage)
    assert [part.defects for part in parsed.walk()] == [[] for _ in parsed.walk()]
    return parsed


def test_the_headers_say_who_what_and_that_a_program_wrote_it() -> None:
    email = sent_and_read(a_message(), name="Södra Samkatalogen, avd. 2")
    assert email["From"].addresses[0].display_name == "Södra Samkatalogen, avd. 2"
    assert email["From"].addresses[0].addr_spec == SENDER
    assert email["To"] == "kontakt@storstad.example"
    assert email["Subject"] == "8 titlar från Nordbok"
    assert email["Date"].datetime == AT
    assert email["Auto-Submitted"] == "auto-generated"
    assert email["X-Auto-Response-Suppress"] == "All"
    assert email["Content-Language"] == "sv"
    assert email["X-Samkat-Notice"] == "digest"


@pytest.mark.parametrize(
    "name",
    [
        "Samkatalogen för Skärgårdens, Åmåls och Östra Örebros folkbibliotek, avdelningen för ö och å, södra",
        'Ø-bibliotekernes "fælles" katalog (æ, ø, å) for alle de mindre og større biblioteker på Østøerne',
    ],
)
def test_a_long_name_of_the_catalogue_comes_back(name: str) -> None:
    # Read by the older parser: the new one doubles blanks between encoded words itself.
    raw = message_from_bytes(render_email(a_message(), name, SENDER, AT).as_bytes())["From"]
    shown, address = parseaddr(raw)
    assert str(make_header(decode_header(shown))) == name
    assert address == SENDER


def test_text_and_html_are_alternatives_that_read_back_alike() -> None:
    email = sent_and_read(a_message())
    assert email.get_content_type() == "multipart/alternative"
    text, page = email.iter_parts()
    assert (text.get_content_type(), page.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content() == "Räksmörgås\r\n.\r\nFrom here\r\n"
    assert page.get_content() == "<p>Räksmörgås</p>\r\n"


def test_the_bytes_are_ascii_in_short_lines_so_that_any_server_takes_them() -> None:
    data = render_email(a_message(html="å" * 5000, text="ö" * 5000), CATALOGUE, SENDER, AT).as_bytes()
    assert data.isascii()
    assert max(len(line) for line in data.split(b"\r\n")) <= 998
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_attachments_keep_name_type_and_bytes() -> None:
    files = (
        Attachment("worklist.csv", "text/csv", "å;ä\r\n".encode()),
        Attachment("rejected-Å.mrc", "application/marc", bytes(range(256))),
    )
    email = sent_and_read(a_message(attachments=files))
    assert email.get_content_type() == "multipart/mixed"
    table, records = email.iter_attachments()
    assert (table.get_filename(), table.get_content_type()) == ("worklist.csv", "text/csv")
    assert table.get_payload(decode=True) == "å;ä\r\n".encode()
    assert (records.get_filename(), records.get_content_type()) == ("rejected-Å.mrc", "application/marc")
    assert records.get_payload(decode=True) == bytes(range(256))
    assert email["Content-Language"] == "sv"


def test_the_message_id_is_fixed_short_and_tells_nothing() -> None:
    first = sent_and_read(a_message())["Message-ID"]
    again = sent_and_read(a_message(subject="other"), at=AT + timedelta(days=1))["Message-ID"]
    assert first == again == "<d33577e25e630ef8dc6c3980a8cb1278@samkatalogen.example>"
    assert sent_and_read(a_message(dedup_key="x"))["Message-ID"] != first


def test_the_same_message_at_the_same_instant_has_the_same_bytes() -> None:
    message = a_message(attachments=(Attachment("a.csv", "text/csv", b"1"),))
    assert (
        render_email(message, CATALOGUE, SENDER, AT).as_bytes()
        == render_email(message, CATALOGUE, SENDER, AT).as_bytes()
    )


@pytest.mark.parametrize("field", ["subject", "language"])
@pytest.mark.parametrize(
    "evil", ["x\r\nBcc: all@evil.example", "x\nBcc: all@evil.example", "x\u2028Bcc: all@evil.example"]
)
def test_no_header_can_be_added_through_another(field: str, evil: str) -> None:
    email = sent_and_read(a_message(**{field: evil}))
    assert email["Bcc"] is None
    assert len(email.keys()) == len(sent_and_read(a_message()).keys())


def test_no_header_can_be_added_through_the_catalogues_name_or_a_file_name() -> None:
    file = Attachment("a.csv\r\nBcc: all@evil.example", "text/csv", b"1")
    email = sent_and_read(a_message(attachments=(file,)), name="Kat\r\nBcc: all@evil.example")
    assert email["Bcc"] is None
    assert next(email.iter_attachments())["Bcc"] is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "@storstad.example",
        "a@",
        "a@b@c.example",
        "a@b.example, c@d.example",
        "a@b.example\r\nBcc: c@d.example",
        "A <a@b.example>",
        "a b@c.example",
        "a@b.example\x00",
        'a"@b.example',
        "a@-\udc80.example",
    ],
)
def test_what_is_not_one_address_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(AddressError, match="the recipient's address is not an e-mail address") as caught:
        render_email(a_message(recipient=address), CATALOGUE, SENDER, AT)
    assert not address or address not in str(caught.value)
    with pytest.raises(AddressError, match="the sender's address"):
        render_email(a_message(), CATALOGUE, address, AT)


def test_a_domain_with_letters_outside_ascii_is_encoded() -> None:
    assert sent_and_read(a_message(recipient="info@bücher.example"))["To"] == "info@xn--bcher-kva.example"


def test_the_date_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        render_email(a_message(), CATALOGUE, SENDER, datetime(2025, 11, 21))
    in_stockholm = sent_and_read(a_message(), at=datetime(2025, 11, 21, 7, 30, tzinfo=timezone(timedelta(hours=1))))
    assert in_stockholm["Date"].datetime == AT


def test_an_endless_subject_is_cut() -> None:
    assert sent_and_read(a_message(subject="x" * 500))["Subject"] == "x" * 200 + "…"


@pytest.mark.parametrize(
    "subject",
    [
        "118 titlar från Skärgårdens bokhandel: 13 inte inlästa, 1 väntar (Åmåls ungdomsbibliotek på Öster)",
        "118 titler fra Bokhandelen på Østsiden: 13 ikke lagt inn, 1 venter (Sørøya bibliotek, avdeling Ål)",
        "Venter på godkendelse: leverance 7 fra Nørrebros Boghandel (NØRRE_[KØB]_[20251120]_æøå.xml)",
        "Waiting for approval: delivery 7 from an ordinary supplier with quite a long name (a-long-file-name.mrc)",
    ],
)
def test_a_subject_comes_back_exactly(subject: str) -> None:
    assert sent_and_read(a_message(subject=subject))["Subject"] == subject


@given(st.text(max_size=250))
def test_any_subject_comes_back_as_one_clean_line(subject: str) -> None:
    expected = one_line(subject)
    email = render_email(a_message(subject=subject), CATALOGUE, SENDER, AT)
    assert email["Subject"] == (expected if len(expected) <= 200 else f"{expected[:200]}…")
    read = message_from_bytes(email.as_bytes(), policy=default)
    assert read.keys() == render_email(a_message(), CATALOGUE, SENDER, AT).keys()
    assert read["Subject"] == email["Subject"]


@given(st.text())
def test_cleaned_text_can_always_be_encoded_and_holds_no_control_character(text: str) -> None:
    for clean in (printable(text), one_line(text)):
        assert clean.encode("utf-8").decode("utf-8") == clean
        assert not any(each < " " and each not in "\n\t" for each in clean)
    assert "\n" not in one_line(text)


@given(st.text())
def test_a_file_name_is_safe_on_every_system(text: str) -> None:
    name = file_name(text)
    assert 1 <= len(name) <= 80
    assert not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert name[0] not in ".-"


@pytest.mark.parametrize(
    ("text", "name"), [("Åse Ærø", "Ase-AEro"), ("../../etc/passwd", "etc-passwd"), ("東京", "file"), ("a\r\nb", "a-b")]
)
def test_file_names_stay_readable(text: str, name: str) -> None:
    assert file_name(text).lower() == name.lower()


@given(st.lists(st.builds(Attachment, st.text(), st.just("text/csv"), st.binary()), max_size=3))
def test_attachments_survive_the_outbox(files: list[Attachment]) -> None:
    assert attachments_from(json.loads(json.dumps(attachment_rows(files)))) == tuple(files)


def test_a_message_id_has_the_domain_of_the_sender() -> None:
    assert message_id("key", "a@b.example").endswith("@b.example>")
