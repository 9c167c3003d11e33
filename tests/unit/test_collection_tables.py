"""A library's stock read: tables row by row, whose row it is, and what a line adds to a holding."""

from __future__ import annotations

import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.errors import DeliveryRejectedError, UsageError
from schemas.marc import HoldingLine, StagedPiece
from tasks.catalogue.stock import joined_lines
from tasks.collections.joining import columns_of, joining, refuse_workbook, sender_of
from tasks.collections.sorting import why_wrong
from tasks.marc.encode import decode
from tasks.marc.reading import ReadingRules, read_delivery
from tasks.marc.stock import StockRules
from tests.unit.marc_records import BIB_LEADER, HOLDING_LEADER, bib, bib_fields, iso

ONE = StockRules((("SOLB", "SOLB"),))
TWO = StockRules((("LUNV", "Lundviken"), ("SOLB", "Huset")))
HEAD = "ISBN;Titel;Upphov;År;Hylla;Id\r\n"
PLAIN = "9789100123468;En bok;Berg, Anna;2001;Hc;17\r\n"


def rows(text: str | bytes, rules: StockRules = ONE) -> list[StagedPiece]:
    content = text if isinstance(text, bytes) else text.encode()
    reading = ReadingRules.of_stock("SAMKAT", rules)
    return list(read_delivery(io.BytesIO(content), rules=reading, file="stock.csv"))


def said(piece: StagedPiece) -> tuple[str, str, int | None, list[str], str]:
    assert piece.bib is not None
    return (
        piece.bib.title, piece.bib.author, piece.bib.year, [each.raw for each in piece.bib.isbns],
        piece.bib.control_number,
    )  # fmt: skip


def test_a_row_becomes_a_record_and_keeps_its_bytes() -> None:
    (piece,) = rows(HEAD + PLAIN)
    assert said(piece) == ("En bok", "Berg, Anna", 2001, ["9789100123468"], "17")
    assert (piece.content, piece.byte_offset, piece.position) == (PLAIN.encode(), len(HEAD.encode()), 1)
    assert piece.normalised is not None
    assert decode(piece.normalised).leader[17] == "5"
    (held,) = piece.holdings
    assert (held.sigel, held.lines[0].shelf_mark) == ("SOLB", "Hc")


def test_a_number_that_a_nordic_spreadsheet_has_rounded_is_one_number_and_a_comma_else_parts_two() -> None:
    (rounded,) = rows(HEAD + "9,78914E+12;En bok;;2001;Hc;17\r\n")
    assert said(rounded)[3] == ["9,78914E+12"]
    (two,) = rows(HEAD + "9789100123468, 9789100123475;En bok;;2001;Hc;17\r\n")
    assert said(two)[3] == ["9789100123468", "9789100123475"]


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_a_table_may_be_in_any_usual_form(charset: str, separator: str) -> None:
    text = f"Författare;Utgivningsår;Nimeke;ISBN-13\n{'Åberg;1999;Över ån;9789100123468'}\n".replace(";", separator)
    (piece,) = rows(text.encode(charset))
    assert said(piece) == ("Över ån", "Åberg", 1999, ["9789100123468"], "")
    assert [each.code for each in piece.findings] == (["charset_mislabelled"] if charset == "cp1252" else [])


def test_one_bad_line_stays_one_bad_line() -> None:
    bad = '1;"aldrig stängd;;;;\r\n' + "1;2;3;4;5;6;7\r\n" + "1\r\n"
    found = rows(
        HEAD + PLAIN + bad + "\r\n;;;;;\r\n" + PLAIN + '2;"Två\r\nrader; ""så""";;;;18\r\n' + '3;5" disk;;;;\r\n'
    )
    assert [each.record_type for each in found] == ["bib", *["unreadable"] * 3, "bib", "bib", "bib"]
    assert "not closed" in found[1].reason
    assert "7 cells and the heading line 6" in found[2].reason
    assert "ends before its ISBN or title" in found[3].reason
    assert said(found[5])[0] == 'Två rader; "så"'
    assert said(found[6])[0] == '5" disk'
    assert [each.position for each in found] == list(range(1, 8))


@given(st.binary(max_size=400).map(lambda noise: noise.translate(None, b"\0\x1d\x1e")))
def test_whatever_follows_the_heading_every_byte_is_in_a_row_or_empty(noise: bytes) -> None:
    head = HEAD.encode()
    try:
        found = rows(head + noise)
    except DeliveryRejectedError:
        assert not noise.strip(b'\r\n\t ;,|"')
        return
    assert all(head + noise != b"" and (head + noise)[each.byte_offset :].startswith(each.content) for each in found)
    rest = len(noise) - sum(len(each.content) for each in found)
    assert rest >= 0


def test_a_table_whose_columns_cannot_be_told_is_refused_with_what_to_do() -> None:
    with pytest.raises(DeliveryRejectedError, match=r"stock\.csv.*has the isbn and the title.*Nummer, Namn"):
        rows("Nummer;Namn\n1;2\n")
    with pytest.raises(DeliveryRejectedError, match="no column 'Titeln'"):
        rows(HEAD + PLAIN, StockRules((("SOLB", "SOLB"),), {"title": "Titeln"}))
    with pytest.raises(DeliveryRejectedError, match="has the library"):
        rows(HEAD + PLAIN, TWO)
    (piece,) = rows(
        "Nummer;Namn\n9789100123468;En bok\n", StockRules((("SOLB", ""),), {"isbn": "nummer", "title": "Namn"})
    )
    assert said(piece)[0] == "En bok"


def test_a_row_says_which_of_several_libraries_has_it() -> None:
    head = HEAD.replace("Upphov", "Filial")
    both, none = rows(f"{head}1;En bok;huset, LUNV;;Hc;1\r\n2;Två;Bokbussen;;Hc;2\r\n", TWO)
    assert [each.sigel for each in both.holdings] == ["SOLB", "LUNV"]
    assert [each.reject_reason for each in none.holdings] == ["'Bokbussen' is none of the libraries that join"]


def test_a_local_systems_branches_become_places() -> None:
    embedded = ("852", "  \x1fbFilial\x1fhHc")
    first = iso(BIB_LEADER, [*bib_fields(), embedded, embedded])
    bare, mfhd = bib(), iso(HOLDING_LEADER, [("001", "h1"), ("852", "8 \x1fbBarn\x1fhuHc")])
    found = rows(first + bare + mfhd + bib())
    (held,) = found[0].holdings
    assert [each.content for each in held.lines] == ['["  ",[["b","SOLB"],["c","Filial"],["h","Hc"]]]']
    assert found[1].holdings == ()
    (moved,) = found[2].holdings
    assert (moved.sigel, moved.lines[-1].content) == ("SOLB", '["8 ",[["b","SOLB"],["c","Barn"],["h","uHc"]]]')
    assert [each.sigel for each in found[3].holdings] == ["SOLB"]


def line(mark: str, owner: str = "library", note: str = "") -> HoldingLine:
    more = f',["j","{mark}"]' if mark else ""
    return HoldingLine("852", mark, note, "", f'["  ",[["b","SOLB"]{more}]]', owner)


def test_lines_are_added_that_say_something_new_and_none_is_lost() -> None:
    bought = line("Hc", "NORDBOK")
    assert joined_lines(False, [bought], [line("Hc")]).lines == (bought,)
    assert joined_lines(False, [bought], [line("")]).outcome == "unchanged"
    assert joined_lines(False, [bought], [line("Hcf")]).lines == (bought, line("Hcf"))
    assert joined_lines(False, [line("")], [line("Hcf")]).lines == (line("Hcf"),)
    assert joined_lines(True, [bought], []).lines == (bought,)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("9,78914E+12", "has rounded"), ("439023483", "the 0 at its beginning"), ("9789100123467", "check digit"),
        ("978910012346", "12 digits"), ("043902348X", "check digit"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_number_is_said(raw: str, words: str) -> None:
    assert words in why_wrong(raw)


def test_who_joins_is_checked_before_anything_is_done() -> None:
    register = read_register(SAMPLE_REGISTER)
    today = date(2025, 3, 14)
    who = joining(["SOLB=Huset", "LUNV"], {"isbn": "EAN"}, register, today)
    assert (who.sender, who.rules.libraries) == ("LUNV+SOLB", (("LUNV", "LUNV"), ("SOLB", "Huset")))
    for libraries, columns in (([], {}), (["XX"], {}), (["SOLB", "SOLB"], {}), (["SOLB"], {"isbm": "ISBN"})):
        with pytest.raises(UsageError):
            joining(libraries, columns, register, today)
    assert columns_of(["isbn=ISBN,title=Titel", "year=År"]) == {"isbn": "ISBN", "title": "Titel", "year": "År"}
    for text in ("isbn", "isbn=", "isbn=A,isbn=B"):
        with pytest.raises(UsageError):
            columns_of([text])
    with pytest.raises(UsageError):
        refuse_workbook("stock.XLSX")
    assert sender_of(["A/b"]) != sender_of(["A_b"])
    assert sender_of([f"S{number}" for number in range(30)]).startswith("S0+29-")
