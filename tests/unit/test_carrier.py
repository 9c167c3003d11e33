"""The carrier is told from whatever field says it."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.marc import Field, Record, control_field, data_field
from tasks.marc.carrier import CARRIERS, carrier_in_words, carrier_of, carriers_agree


def record(record_type: str, *fields: Field) -> Record:
    return Record(f"00000n{record_type}m a2200000 i 4500", list(fields))


def fixed(form: str, place: int = 23) -> Field:
    return control_field("008", ("210101s2021    sw ".ljust(place, "|") + form).ljust(40, "|"))


def extent(text: str, size: str = "") -> Field:
    return data_field("300", "  ", [("a", text)] + ([("c", size)] if size else []))


@pytest.mark.parametrize(
    ("field", "carrier"),
    [
        (control_field("007", "cr"), "online"),
        (control_field("007", "ta"), "print"),
        (control_field("007", "tb"), "large_print"),
        (control_field("007", "tc"), "braille"),
        (control_field("007", "hd"), "microform"),
        (fixed("o"), "online"),
        (fixed("s"), "computer"),
        (fixed("q"), "computer_disc"),
        (fixed("d"), "large_print"),
        (fixed("f"), "braille"),
        (fixed("b"), "microform"),
        (fixed("r"), "print"),
        (data_field("245", "10", [("a", "Havet"), ("h", "[Elektronisk resurs]")]), "computer"),
        (data_field("245", "10", [("a", "Havet"), ("h", "[microform]")]), "microform"),
        (data_field("245", "10", [("a", "Havet (e-bok)")]), "online"),
        (extent("1 onlineresurs (235 sidor)"), "online"),
        (extent("1 online resource (xii, 235 pages)"), "online"),
        (extent("1 Online-Ressource"), "online"),
        (extent("1 nettressurs"), "online"),
        (extent("235 sidor", "22 cm"), "print"),
        (extent("235 s."), "print"),
        (extent("2 v."), "print"),
        (extent("3 vol. i kassett"), "print"),
        (extent("2 volymer (punktskrift)"), "braille"),
        (extent("12 mikrofiche"), "microform"),
        (extent("1 CD-ROM"), "computer_disc"),
        (data_field("337", "  ", [("b", "c")]), "computer"),
        (data_field("337", "  ", [("a", "omedierad")]), "print"),
        (data_field("338", "  ", [("b", "cr")]), "online"),
        (data_field("338", "  ", [("a", "volym")]), "print"),
        (data_field("533", "  ", [("a", "Electronic reproduction")]), "computer"),
        (data_field("533", "  ", [("a", "Mikrofilm")]), "microform"),
        (data_field("856", "40", [("u", "https://example.com/1")]), "online"),
        (data_field("020", "  ", [("a", "9789101000010"), ("q", "inb.")]), "print"),
        (data_field("020", "  ", [("a", "9789101000010 (e-bok)")]), "online"),
    ],
)
def test_one_sign_is_enough_for_a_text(field: Field, carrier: str) -> None:
    assert carrier_of(record("a", field)) == carrier


@pytest.mark.parametrize(
    ("record_type", "fields", "carrier"),
    [
        ("i", [control_field("007", "sd"), extent("1 CD")], "audio_disc"),
        ("i", [extent("1 CD (MP3)")], "audio_disc"),
        ("i", [extent("2 ljudkassetter")], "audio_tape"),
        ("i", [control_field("007", "cr")], "audio_online"),
        (
            "i",
            [data_field("245", "10", [("a", "Havet"), ("h", "[Ljudupptagning]")]), control_field("007", "sd")],
            "audio_disc",
        ),
        ("i", [data_field("245", "10", [("a", "Havet"), ("h", "[Ljudupptagning]")])], "audio"),
        ("j", [extent("1 LP")], "audio_disc"),
        ("g", [control_field("007", "vd")], "video_disc"),
        ("g", [extent("1 DVD")], "video_disc"),
        ("g", [extent("1 onlineresurs")], "video_online"),
        ("e", [extent("1 karta", "60 x 80 cm")], "map_sheet"),
        ("e", [fixed("o", 29)], "online"),
        ("c", [extent("1 partitur (24 s.)")], "print"),
        ("o", [extent("1 bok, 1 CD")], "kit"),
        ("r", [], "object"),
    ],
)
def test_the_record_type_sharpens_the_sign(record_type: str, fields: list[Field], carrier: str) -> None:
    assert carrier_of(record(record_type, *fields)) == carrier


def test_nothing_tells_is_not_print() -> None:
    assert carrier_of(record("a", fixed(" "), data_field("245", "10", [("a", "Havet")]))) == ""


def test_a_disc_in_the_pocket_of_a_book_does_not_make_it_a_disc() -> None:
    assert carrier_of(record("a", control_field("007", "co"), extent("256 sidor", "24 cm"))) == "print"


def test_a_link_to_the_cover_does_not_make_a_book_an_e_book() -> None:
    cover = data_field("856", "40", [("3", "Omslagsbild"), ("u", "https://example.com/1")])
    assert carrier_of(record("a", cover, extent("256 s."))) == "print"


def test_a_link_does_not_outweigh_centimetres() -> None:
    link = data_field("856", "40", [("u", "https://example.com/1")])
    assert carrier_of(record("a", extent("256 s.", "24 cm"), link)) == "print"
    assert carrier_of(record("a", extent("256 s."), link)) == "online"


def test_a_reproduction_of_one_library_is_not_the_record() -> None:
    local = data_field("533", "  ", [("a", "Mikrofilm"), ("5", "Nv")])
    assert carrier_of(record("a", extent("256 s.", "24 cm"), local)) == "print"


def test_qualifiers_of_two_carriers_tell_nothing() -> None:
    both = [data_field("020", "  ", [("a", "9789101000010"), ("q", each)]) for each in ("inb.", "e-bok")]
    assert carrier_of(record("a", *both)) == ""


@pytest.mark.parametrize(
    ("words", "carrier"),
    [
        ("inb.", "print"),
        ("häftad", "print"),
        ("pbk. : alk. paper", "print"),
        ("danskt band", "print"),
        ("relié", "print"),
        ("E-bok (EPUB)", "online"),
        ("PDF", "online"),
        ("ljudbok", "audio"),
        ("Ljudbok, nedladdningsbar", "audio_online"),
        ("mp3-cd", "audio_disc"),
        ("cd-rom", "computer_disc"),
        ("Hörbuch", "audio"),
        ("print-on-demand", "print"),
        ("del 2", ""),
        ("hela verket", ""),
        ("120 kr", ""),
        ("", ""),
    ],
)
def test_words_name_a_carrier(words: str, carrier: str) -> None:
    assert carrier_in_words(words) == carrier


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("print", "print", True),
        ("print", "", True),
        ("print", "large_print", True),  # the edition tells these apart
        ("print", "online", False),
        ("print", "computer", False),
        ("print", "braille", False),
        ("online", "computer", True),
        ("computer", "computer_disc", True),
        ("online", "computer_disc", False),
        ("audio", "audio_disc", True),
        ("audio_disc", "audio_online", False),
        ("audio_disc", "audio_tape", False),
        ("audio", "video", False),
        ("online", "audio_online", True),
    ],
)
def test_which_carriers_agree(one: str, other: str, agree: bool) -> None:
    assert carriers_agree(one, other) is agree


def test_agreement_is_mutual() -> None:
    assert [pair for pair in product(CARRIERS, repeat=2) if carriers_agree(*pair) != carriers_agree(*pair[::-1])] == []


@given(st.text(max_size=60), st.sampled_from("acdefgijkmoprt"))
def test_the_set_is_closed(text: str, record_type: str) -> None:
    found = carrier_of(record(record_type, extent(text), data_field("245", "10", [("a", text), ("h", text)])))
    assert found in CARRIERS
