"""BUPS 2: Alma's user XML, absent and null apart, the protection extension, and broken neighbours."""

from __future__ import annotations

import io
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from schemas.errors import DeliveryRejectedError
from schemas.patrons import ABSENT, IncomingPerson, ProtectionOrder, RejectedRow
from tasks.patrons.alma_pieces import UserElements
from tasks.patrons.alma_xml import AlmaXmlReader
from tasks.patrons.reading import FileTotals
from tests.unit.patron_samples import outcome, person, read, rejected, source

SOURCE = source(format="bups2", stable_ids=["primary_id", "feide"])
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<users>\n'
WHOLE = """<user>
  <record_type desc="Public">PUBLIC</record_type><primary_id>V-1@vestmark.example</primary_id>
  <first_name>Åse</first_name><middle_name/><last_name>Vik &amp; Lund</last_name>
  <user_group desc="Student">student</user_group><birth_date>2001-02-03Z</birth_date>
  <expiry_date>2027-06-30+02:00</expiry_date><is_researcher>false</is_researcher><pref_first_name> </pref_first_name>
  <contact_info>
    <addresses>
      <address preferred="true" segment_type="External"><line1>Storgata 1</line1><city>Vestmark</city>
        <postal_code>1234</postal_code><address_types><address_type>home</address_type></address_types></address>
    </addresses>
    <emails>
      <email segment_type="External"><email_address>Aase@Vestmark.example</email_address>
        <email_types><email_type>work</email_type><email_type>school</email_type></email_types></email>
      <email preferred="true" segment_type="Internal"><email_address>desk@vestmark.example</email_address></email>
    </emails>
    <phones/>
  </contact_info>
  <user_identifiers><user_identifier segment_type="External"><id_type>feide</id_type>
    <value>aase@vestmark.example</value><status>ACTIVE</status></user_identifier>
    <user_identifier><id_type>barcode</id_type><value>B 77</value>
    <status>INACTIVE</status></user_identifier></user_identifiers>
  <user_roles><user_role><role_type>200</role_type></user_role></user_roles>
</user>"""


def small(number: int, inside: str = "") -> str:
    return f"<user><primary_id>P{number}</primary_id><last_name>Etternavn{number}</last_name>{inside}</user>"


def document(*users: str, head: str = HEAD, tail: str = "</users>\n") -> bytes:
    return (head + "\n".join(users) + "\n" + tail).encode()


def test_elements_become_values_and_empty_ones_null() -> None:
    found = person(document(WHOLE), SOURCE)
    assert dict(found.values) == {
        "record_type": "PUBLIC",
        "primary_id": "V-1@vestmark.example",
        "first_name": "Åse",
        "middle_name": None,
        "last_name": "Vik & Lund",
        "user_group": "student",
        "birth_date": date(2001, 2, 3),
        "expiry_date": date(2027, 6, 30),
        "is_researcher": False,
        "pref_first_name": None,
    }
    assert found.value("pref_last_name") is ABSENT
    assert [(each.type, each.key) for each in found.source_ids] == [
        ("primary_id", "v-1@vestmark.example"),
        ("feide", "aase@vestmark.example"),
    ]
    assert [(each.type, each.value, each.status) for each in found.search_ids] == [("barcode", "B 77", "INACTIVE")]
    assert found.affiliations[0].valid_to == date(2027, 6, 30)


def test_lists_keep_what_came_beside_the_key_and_an_empty_list_is_not_an_absent_one() -> None:
    found = person(document(WHOLE), SOURCE)
    emails = found.items("emails")
    assert emails
    assert [(each.type, each.key, each.is_preferred, each.segment) for each in emails] == [
        ("school,work", "aase@vestmark.example", False, "external"),
        ("", "desk@vestmark.example", True, "internal"),
    ]
    assert emails[0].fields == {"email_address": "Aase@Vestmark.example"}
    (address,) = found.items("addresses") or ()
    assert address.fields == {"line1": "Storgata 1", "city": "Vestmark", "postal_code": "1234"}
    assert found.items("phones") == ()
    assert found.items("user_notes") is ABSENT


def test_the_register_can_say_that_empty_elements_say_nothing() -> None:
    found = person(document(WHOLE), source(format="bups2", empty_elements="absent"))
    assert found.value("middle_name") is ABSENT
    assert found.items("phones") is ABSENT


def test_roles_and_passwords_are_never_taken_but_counted() -> None:
    totals = FileTotals()
    read(document(WHOLE, small(2, "<password>x</password>")), SOURCE, totals=totals)
    assert totals.ignored == {"user_roles": 1, "password": 1}
    assert totals.defects == []


def test_our_own_namespace_protects_releases_hides_and_rekeys() -> None:
    own = """<s:protection xmlns:s="urn:samkat:patron:1">
      <s:protect path="pref_first_name" until="2027-01-31" reason="asked for it"/>
      <s:protect path="emails" type="work"/><s:release path="user_group"/></s:protection>
      <s:confidential xmlns:s="urn:samkat:patron:1">true</s:confidential>
      <s:old_id xmlns:s="urn:samkat:patron:1">OLD1</s:old_id>"""
    found = person(document(small(1, own)), SOURCE)
    assert found.orders == (
        ProtectionOrder("protect", "pref_first_name", None, "asked for it", date(2027, 1, 31)),
        ProtectionOrder("protect", "emails", "work"),
        ProtectionOrder("release", "user_group"),
    )
    assert found.is_confidential is True
    assert [(each.type, each.key) for each in found.rekeyed_from] == [("primary_id", "old1")]
    assert person(document(small(1)), SOURCE).is_confidential is ABSENT
    # Declared on the root it is the same; without its namespace it is nobody's element.
    root = HEAD.replace("<users>", '<users xmlns:s="urn:samkat:patron:1">')
    assert person(document(small(1, "<s:confidential>1</s:confidential>"), head=root), SOURCE).is_confidential is True
    assert person(document(small(1, "<confidential>1</confidential>")), SOURCE).is_confidential is ABSENT


@pytest.mark.parametrize(
    "order",
    ['<s:protect path="no_path"/>', '<s:protect path="first_name" type="x"/>', '<s:hold path="first_name"/>'],
)
def test_an_order_that_nobody_understands_rejects_the_person(order: str) -> None:
    row = rejected(document(small(1, f'<s:protection xmlns:s="urn:samkat:patron:1">{order}</s:protection>')), SOURCE)
    assert (row.rule, row.field) == ("bad_value", "protection")


@pytest.mark.parametrize(
    "broken",
    [
        "<user><primary_id>X</primary_id><last_name>Hemmelig</user>",
        "<user><primary_id>X</primary_id><last_name>Hemmelig & sønn</last_name></user>",
        "<user><primary_id>X</primary_id><last_name>Hemmelig</last_name>",
        "<user><primary_id>X</primary_id><last_name>&hemmelig;</last_name></user>",
        '<user><primary_id>X</primary_id><note a="Hemmelig></user>',
    ],
)
def test_a_broken_person_keeps_its_neighbours(broken: str) -> None:
    rows = read(document(small(1), broken, small(2), small(3)), SOURCE)
    assert outcome(rows) == ["P1", "unreadable", "P2", "P3"]
    assert "Hemmelig" not in str(rows[1])
    assert rows[1].position.record_no == 2
    assert rows[1].position.line == 4


def test_a_byte_of_another_character_set_costs_its_person() -> None:
    content = document(small(1), "<user><primary_id>Å</primary_id></user>", small(2)).replace("Å".encode(), b"\xc5")
    assert outcome(read(content, SOURCE)) == ["P1", "unreadable", "P2"]
    declared = content.replace(b"UTF-8", b"ISO-8859-1")
    totals = FileTotals()
    assert outcome(read(declared, SOURCE, totals=totals)) == ["P1", "Å", "P2"]
    assert totals.defects == ["it declares iso8859-1, agreed is utf-8"]


def test_a_file_that_breaks_off_says_so_and_loses_one_person() -> None:
    content = document(small(1), small(2), small(3))
    totals = FileTotals()
    rows = read(content[: content.index(b"Etternavn3")], SOURCE, totals=totals)
    assert outcome(rows) == ["P1", "P2", "unreadable"]
    assert totals.defects == ["it breaks off, or is broken between its persons"]
    totals = FileTotals()
    assert outcome(read(document(small(1), small(2), tail=""), SOURCE, totals=totals)) == ["P1", "P2"]
    assert totals.defects == ["it breaks off, or is broken between its persons"]


@pytest.mark.parametrize(
    "content",
    [
        b'<?xml version="1.0"?><!DOCTYPE users [<!ENTITY x SYSTEM "file:///etc/passwd">]><users><user/></users>',
        b"<html><body>Service unavailable</body></html>",
        b"",
        b"not XML at all",
        document(tail=""),
        '<?xml version="1.0" encoding="UTF-16"?><users/>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="nonsense"?><users/>',
        pytest.param(b"<users>" + b"x" * 3_500_000 + b"<user/></users>", id="no user for long"),
    ],
)
def test_what_is_no_document_of_users_is_refused_and_never_an_empty_list(content: bytes) -> None:
    with pytest.raises(DeliveryRejectedError) as caught:
        read(content, SOURCE, "night.xml")
    assert caught.value.file == "night.xml"
    assert caught.value.remedy


def test_a_document_without_persons_is_empty() -> None:
    assert read(b"<users/>", SOURCE) == []
    assert read(document(), SOURCE) == []


def test_comments_and_cdata_do_not_hide_or_invent_persons() -> None:
    hidden = f"<!-- {small(8)} -->"
    cdata = small(2, "<user_notes><user_note><note_text><![CDATA[</user><user>]]></note_text></user_note></user_notes>")
    rows = read(document(hidden, small(1, "<!-- </user> -->"), cdata, hidden, small(3)), SOURCE)
    assert outcome(rows) == ["P1", "P2", "P3"]
    assert isinstance(rows[1], IncomingPerson)
    assert [each.key for each in rows[1].items("user_notes") or ()] == ["</user><user>"]


def test_other_roots_prefixes_and_a_single_user_are_read() -> None:
    rooted = document(small(1), small(2), head='<a:userRecords xmlns:a="u"><meta/>', tail="</a:userRecords>")
    assert outcome(read(rooted, SOURCE)) == ["P1", "P2"]
    prefixed = small(1).replace("<", "<a:").replace("<a:/", "</a:")
    assert outcome(read(document(prefixed, head='<a:users xmlns:a="u">', tail="</a:users>"), SOURCE)) == ["P1"]
    assert outcome(read(small(7).encode(), SOURCE)) == ["P7"]


def test_a_person_without_end_does_not_eat_the_file() -> None:
    endless = "<user><primary_id>X</primary_id>" + "<x>" * 400_000
    assert outcome(read(document(small(1), endless, small(2)), SOURCE)) == ["P1", "unreadable", "P2"]


def test_the_hash_is_that_of_the_bytes_and_of_what_they_stand_in() -> None:
    def hashes(content: bytes) -> list[bytes]:
        return [each.content_hash for each in read(content, SOURCE) if isinstance(each, IncomingPerson)]

    assert hashes(document(small(1), small(2))) == hashes(document(small(2), small(1)))[::-1]
    other = document(small(1), small(2), head='<users xmlns:s="urn:samkat:patron:1">')
    assert set(hashes(other)).isdisjoint(hashes(document(small(1), small(2))))


def test_nothing_of_a_person_shows_in_a_traceback() -> None:
    found = person(document(WHOLE), SOURCE)
    shown = repr(list(AlmaXmlReader(SOURCE).pieces(io.BytesIO(document(WHOLE)))))
    shown += repr(list(UserElements(io.BytesIO(document(WHOLE)))))
    shown += repr(found) + repr(found.items("emails")) + repr(found.source_ids)
    assert not any(word in shown for word in ("Åse", "Vik", "aase", "Aase", "V-1", "2001", "Storgata"))


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20)


@settings(deadline=None)
@given(st.lists(st.tuples(_TEXT, _TEXT, st.booleans()), max_size=8), st.integers(min_value=1, max_value=60))
def test_users_are_found_as_a_parser_finds_them(rows: list[tuple[str, str, bool]], step: int) -> None:
    root = etree.Element("users")
    for name, note, has_comment in rows:
        user = etree.SubElement(root, "user")
        etree.SubElement(user, "last_name").text = "".join(each for each in name if each not in "\ufffe\uffff")
        if has_comment:
            user.append(etree.Comment(note.replace("-", "").replace("\ufffe", "").replace("\uffff", "") + "</user>"))
    content = etree.tostring(root, encoding="utf-8", xml_declaration=True)

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(step)

    elements = list(UserElements(Slow(content)))
    assert [each.defect for each in elements] == [""] * len(rows)
    assert [content[each.byte_offset :][: len(each.content)] for each in elements] == [
        each.content for each in elements
    ]
    found = [etree.fromstring(b"<x>" + each.content + b"</x>")[0].findtext("last_name") for each in elements]
    assert found == [user.findtext("last_name") for user in root]


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["<user>", "</user>", "<user/>", "<!--", "-->", "<![CDATA[", "]]>", "<?x", "?>", "a", "<b>"])
    )
)
def test_any_order_of_marks_ends_in_persons_rejected_rows_or_a_refusal(marks: list[str]) -> None:
    totals = FileTotals()
    try:
        rows = read(("<users>" + "".join(marks) + "</users>").encode(), SOURCE, totals=totals)
    except DeliveryRejectedError:
        return
    assert len(rows) == totals.records
    assert all(isinstance(each, RejectedRow) for each in rows)
