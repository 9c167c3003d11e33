"""MARCXML: finding the records of a document, and reading one."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import DeliveryRejectedError
from tasks.marc.encode import to_xml
from tasks.marc.iso2709 import Piece
from tasks.marc.marcxml import document_of, split_elements
from tasks.marc.marcxml_record import record_by_lxml, record_from_xml
from tasks.marc.records import LazyRecord, UnreadableError
from tests.unit.marc_records import BIB_LEADER, Trickle, bib_fields, document, holding_fields, read, xml

BIB = xml(BIB_LEADER, bib_fields(1))
OTHER = xml(BIB_LEADER, bib_fields(2))
PREFIXED = xml(BIB_LEADER, bib_fields(1), "marc:")


def elements_of(content: bytes, **more: int) -> list[Piece]:
    return list(split_elements(io.BytesIO(content), document_of(content).encoding, **more))


def titles(content: bytes) -> list[str]:
    return [each.bib.control_number if each.bib else each.reason for each in read(content)]


@pytest.mark.parametrize("prefix", ["", "marc:", "m-2.x:"])
def test_every_record_element_is_a_piece_with_its_offset(prefix: str) -> None:
    records = [xml(BIB_LEADER, bib_fields(number), prefix) for number in (1, 2, 3)]
    content = document(*records, prefix=prefix)
    pieces = elements_of(content)
    assert [each.content.decode() for each in pieces] == records
    assert [content[each.byte_offset :][: len(each.content)] for each in pieces] == [each.content for each in pieces]
    assert titles(content) == ["bok000001", "bok000002", "bok000003"]


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-16-LE", "UTF-16-BE"])
def test_offsets_in_utf16_are_those_of_the_file(encoding: str) -> None:
    content = document(xml(BIB_LEADER, bib_fields(1, title="Höst 𝄞 ö")), OTHER, encoding=encoding)
    pieces = elements_of(content)
    assert len(pieces) == 2
    assert [content[each.byte_offset :][: len(each.content)] for each in pieces] == [each.content for each in pieces]
    assert pieces[1].content.decode("utf-16-be" if encoding.endswith("BE") else "utf-16-le") == OTHER


def test_a_document_without_line_ends_or_with_one_record_only_is_read() -> None:
    assert titles(document(BIB + OTHER)) == ["bok000001", "bok000002"]
    assert titles(PREFIXED.replace("<marc:record>", '<marc:record xmlns:marc="x">').encode()) == ["bok000001"]


def test_records_of_different_prefixes_in_one_file_are_found() -> None:
    assert titles(document(PREFIXED, OTHER, BIB, prefix="marc:")) == ["bok000001", "bok000002", "bok000001"]


def test_an_envelope_around_records_is_no_piece() -> None:
    harvested = f"<record><header><identifier>1</identifier></header><metadata>{PREFIXED}</metadata></record>"
    content = f"<OAI-PMH><ListRecords>{harvested}{harvested}</ListRecords></OAI-PMH>".encode()
    assert titles(content) == ["bok000001", "bok000001"]


def test_what_stands_in_comments_and_cdata_is_no_record() -> None:
    content = document(f"<!-- {OTHER} -->", BIB, f"<note><![CDATA[{OTHER}]]></note>", OTHER)
    assert titles(content) == ["bok000001", "bok000002"]


def test_a_comment_inside_a_record_does_not_end_it() -> None:
    inside = BIB.replace("</leader>", "</leader><!-- </record> -->")
    assert titles(document(inside, OTHER)) == ["bok000001", "bok000002"]


def test_the_word_record_in_a_title_does_no_harm() -> None:
    fields = bib_fields(1, title="The record book, vinyl record ")
    assert titles(document(xml(BIB_LEADER, fields), OTHER)) == ["bok000001", "bok000002"]


def test_a_record_that_is_not_closed_keeps_its_bytes_and_the_next_one_is_read() -> None:
    broken = BIB.removesuffix("</record>")
    pieces = read(document(broken, OTHER))
    assert [(each.record_type, each.content.decode().rstrip()) for each in pieces] == [
        ("unreadable", broken.rstrip()),
        ("bib", OTHER),
    ]
    assert pieces[0].reason == "the record is not closed: the next one begins inside it"


@pytest.mark.parametrize("cut", [20, 120, 500, 900])
def test_a_file_that_breaks_off_ends_in_an_unreadable_piece(cut: int) -> None:
    content = document(BIB, OTHER)
    place = content.index(OTHER.encode()) + cut
    first, last = read(content[:place])
    assert first.bib is not None
    assert (last.record_type, last.reason) == ("unreadable", "the record is not closed: the file breaks off here")
    assert last.content == content[place - cut : place].rstrip()


def test_an_empty_record_element_is_an_unreadable_piece() -> None:
    assert titles(document(BIB, "<record/>", "<record></record>", OTHER)) == [
        "bok000001",
        "the record has no fields",
        "the record has no fields",
        "bok000002",
    ]


def test_a_bad_record_does_not_end_the_file() -> None:
    bad = BIB.replace("</subfield>", "", 1)
    good_and_bad = titles(document(BIB, bad, OTHER))
    assert good_and_bad[::2] == ["bok000001", "bok000002"]
    assert good_and_bad[1].startswith("not well-formed XML: Opening and ending tag mismatch")


def test_a_record_without_end_is_cut_at_the_limit_and_reading_goes_on() -> None:
    endless = BIB.removesuffix("</record>") + "x" * 3000
    pieces = list(split_elements(Trickle(document(endless, OTHER), 100), max_piece_bytes=1500))  # type: ignore[arg-type]
    assert [len(each.content) for each in pieces[:2]] == [1500, 1500]
    assert "".join(each.content.decode() for each in pieces[:-1]) == endless
    assert {each.defect for each in pieces[:-1]} == {"no end of the record within 1,500 bytes"}
    assert pieces[-1] == Piece(document(endless, OTHER).index(OTHER.encode()), OTHER.encode())


def test_entities_of_a_doctype_are_not_read() -> None:
    doctype = '<!DOCTYPE collection [<!ENTITY pub "Nordlyset"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
    bad = BIB.replace("Nordlyset", "&pub;")
    worse = BIB.replace("Nordlyset", "&x;")
    content = document(BIB, bad, worse).replace(b"<collection", doctype.encode() + b"<collection", 1)
    pieces = read(content)
    assert [each.record_type for each in pieces] == ["bib", "unreadable", "unreadable"]
    assert [each.code for each in pieces[0].findings] == ["doctype_ignored"]
    assert pieces[1].reason.startswith("not well-formed XML: Entity 'pub' not defined")


def test_entity_expansion_bombs_stay_small() -> None:
    bomb = "<!DOCTYPE c [<!ENTITY a \"aaaaaaaaaa\">" + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
    ) + "]>"  # fmt: skip
    content = document(BIB.replace("Nordlyset", "&j;")).replace(b"<collection", bomb.encode() + b"<collection", 1)
    (piece,) = read(content)
    assert piece.record_type == "unreadable"


def test_control_characters_are_left_out_and_told() -> None:
    for text in ("Ha\x00vet", "Ha\x1fvet", "Ha\x01vet &#228;"):
        (piece,) = read(document(BIB.replace("Havet", text)))
        assert piece.bib is not None
        assert piece.bib.title.startswith("Havet")
        assert [each.code for each in piece.findings] == ["control_character"]


def test_references_and_cdata_inside_a_record_are_read() -> None:
    text = BIB.replace("Havet om natten", "Hav &amp; land &lt;1&gt; &#228;&#xE5; <![CDATA[<ö>]]>")
    (piece,) = read(document(text))
    assert piece.bib is not None
    assert piece.bib.title == "Hav & land <1> äå <ö> : roman"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (' tag="245"', "", "a datafield has no valid tag ('')"),
        (' tag="245"', ' tag="24"', "a datafield has no valid tag ('24')"),
        (' tag="008"', "", "a controlfield has no valid tag ('')"),
        (' code="c">Asta', ">Asta", "245: a subfield has no valid code ('')"),
        (' code="c">Asta', ' code="cc">Asta', "245: a subfield has no valid code ('cc')"),
        ("Asta Vinterdal</", "<b>Asta</b></", "245 $c: the element <b> stands where only text may be"),
        ("leader", "laeder", "the record has no leader"),
    ],
)
def test_what_is_not_marcxml_is_told(old: str, new: str, reason: str) -> None:
    (piece,) = read(document(BIB.replace(old, new)))
    if old == "leader":
        assert piece.bib is not None
        assert [each.code for each in piece.findings] == ["element_ignored", "leader_missing", "leader_level_unknown"][
            :2
        ]
        assert piece.bib.reject_reason == "leader/06 (type of record) is missing"
    else:
        assert (piece.record_type, piece.reason) == ("unreadable", reason)


def test_local_fields_that_cannot_be_marc_are_left_out_and_told() -> None:
    local = '<datafield tag="HLD866" ind1=" " ind2=" "><subfield code="a">1</subfield></datafield>'
    other = '<datafield tag="ITM" ind1=" " ind2=" "><subfield code="updated">1</subfield></datafield>'
    (piece,) = read(document(BIB.replace("</record>", f"{local}{other}<note/></record>")))
    assert piece.bib is not None
    assert [each.code for each in piece.findings] == ["field_left_out", "field_left_out", "element_ignored"]


@pytest.mark.parametrize(
    ("leader", "read_as"),
    [
        ("00817nas a2200265 4500", "00817nas a2200265   4500"),
        ("01013nam 2200265Ia 4500", "01013nam  2200265Ia 4500"),
        ("03016cam a2200649I 4500", "03016cam a2200649I  4500"),
        ("00000nam a22000007a 4500 ", "00000nam a22000007a 4500"),
        ("00000nam a", "00000nam a              "),
        ("00000nåm a22000007a 4500", "00000n m a22000007a 4500"),
    ],
)
def test_a_damaged_leader_is_read_as_far_as_it_goes_and_told(leader: str, read_as: str) -> None:
    record, findings = record_from_xml(BIB.replace(BIB_LEADER, leader))
    assert record.leader == read_as
    assert [each.code for each in findings] == ["leader_damaged"]


def test_a_leader_that_says_too_little_makes_the_record_unreadable() -> None:
    with pytest.raises(UnreadableError, match=r"the leader has 5 of 24 characters: '00000'"):
        record_from_xml(BIB.replace(BIB_LEADER, "00000"))


def test_an_unknown_encoding_rejects_the_delivery() -> None:
    with pytest.raises(DeliveryRejectedError, match="unknown encoding, 'marc-8'"):
        read(document(BIB).replace(b'"UTF-8"', b'"marc-8"'))


def test_a_whole_order_of_bib_and_holding_is_read() -> None:
    bib, holding = read(document(BIB, xml("00000nx  a2200000zn 4500", holding_fields())))
    assert (bib.record_type, holding.record_type) == ("bib", "holding")
    assert holding.holdings[0].sigel == "Abc"
    assert bib.normalised is not None
    assert bib.normalised[:10] == b"%05dnam a" % len(bib.normalised)


text = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]), max_size=20)
code = st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789")
data_fields = st.tuples(
    st.integers(10, 999).map(lambda number: f"{number:03d}"),
    st.builds(
        lambda indicators, subfields: indicators + "".join(f"\x1f{code}{value}" for code, value in subfields),
        st.text("0123456789 ", min_size=2, max_size=2),
        st.lists(st.tuples(code, text), min_size=1, max_size=4),
    ),
)
records = st.builds(
    lambda control, fields: LazyRecord(
        BIB_LEADER, ["001", *[tag for tag, _ in fields]], [control, *[value for _, value in fields]]
    ),
    text,
    st.lists(data_fields, max_size=6),
)


@given(records, st.sampled_from(["", "\n", "\n    "]))
def test_pattern_and_lxml_read_the_same(record: LazyRecord, indent: str) -> None:
    element = to_xml(record).replace("><", f">{indent}<")
    fast, slow = record_from_xml(element), record_by_lxml(element)
    assert (fast.record.leader, fast.record.tags, fast.record.texts) == (
        slow.record.leader,
        slow.record.tags,
        slow.record.texts,
    )


@given(
    st.integers(0, len(BIB)),
    st.sampled_from(["<", ">", "&", '"', "</subfield>", "<b>", "]]>", "\x1f", "&amp;"]),
)
def test_pattern_and_lxml_agree_on_damage(place: int, damage: str) -> None:
    element = BIB[:place] + damage + BIB[place:]

    def outcome(reader: object) -> object:
        try:
            record, _ = reader(element)  # type: ignore[operator]
        except UnreadableError:
            return "unreadable"
        return record.leader, record.tags, record.texts

    assert outcome(record_from_xml) == outcome(record_by_lxml)


@given(st.binary(max_size=40), st.integers(0, 1200))
def test_any_bytes_in_a_document_leave_its_other_records(rubbish: bytes, place: int) -> None:
    content = document(BIB, OTHER)
    place = min(place, content.index(OTHER.encode()) - 1)
    place = max(place, 40)
    pieces = read(content[:place] + rubbish.replace(b"<", b"").replace(b">", b"") + content[place:])
    assert pieces[-1].content == OTHER.encode()
    assert pieces[-1].bib is not None
