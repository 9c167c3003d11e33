"""Keys: nothing leads out of the landing zone, and a supplier's name stays readable."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.landing.folder import FolderZone
from tasks.landing.keys import Area, KeyRefusedError, check_key, check_part, printable, safe_name

any_text = st.text(st.characters(), max_size=400)


@pytest.mark.parametrize(
    ("key", "cause"),
    [
        ("incoming/../archive/a.mrc", "begins with a dot"),
        ("incoming/..", "begins with a dot"),
        ("incoming/./a.mrc", "begins with a dot"),
        ("incoming/BOKAB/.hidden", "begins with a dot"),
        ("/etc/passwd", "not a key of the landing zone"),
        ("../etc/passwd", "not a key of the landing zone"),
        ("elsewhere/a.mrc", "not a key of the landing zone"),
        ("", "not a key of the landing zone"),
        ("incoming", "not a key of the landing zone"),
        ("incoming/", "an empty part"),
        ("incoming//a.mrc", "an empty part"),
        ("incoming/BOKAB\\..\\a.mrc", "backslash"),
        ("incoming/BOKAB/a\0.mrc", "NUL"),
        ("incoming/BOKAB/a\n.mrc", "control character"),
        ("incoming/BOKAB/b\udce5.mrc", "not UTF-8"),
        ("incoming/BOKAB/" + "a" * 256, "longer than 255 bytes"),
        ("incoming/BOKAB/" + "å" * 128, "longer than 255 bytes"),
        ("incoming/" + "/".join(["a" * 100] * 11), "longer than 1024 bytes"),
    ],
)
def test_a_key_that_could_lead_away_is_refused(key: str, cause: str) -> None:
    with pytest.raises(KeyRefusedError) as refusal:
        check_key(key)
    assert cause in refusal.value.cause
    assert refusal.value.remedy
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize(
    "key",
    ["incoming/BOKAB/dag 1 (Umeå).mrc", "archive/BOKAB/2025/01/31/0123456789ab-a.mrc", "exports/natt.20250131.marc"],
)
def test_an_ordinary_key_is_returned_as_it_is(key: str) -> None:
    assert check_key(key) == key


def test_a_sender_is_one_part() -> None:
    assert check_part("BOKAB") == "BOKAB"
    with pytest.raises(KeyRefusedError, match="slash"):
        check_part("BOKAB/../OTHER")


@given(st.text(st.sampled_from("a./\\\0é\udce5 ~%"), max_size=40))
@example("incoming/a/../../b")
@example("incoming/%2e%2e/b")
def test_whatever_the_key_it_stays_below_the_root_or_is_refused(tail: str) -> None:
    zone = FolderZone(Path("/somewhere/landing"))
    try:
        uri = zone.uri_for(f"incoming/{tail}")
    except KeyRefusedError:
        return
    assert uri.startswith("file:///somewhere/landing/incoming/")
    assert "/../" not in uri
    assert not uri.endswith("/..")
    assert zone.key_of(uri) == f"incoming/{tail}"


@given(any_text)
def test_a_safe_name_can_always_be_a_part_of_a_key(name: str) -> None:
    safe = safe_name(name)
    assert check_part(safe) == safe
    assert len(safe.encode()) <= 150
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        (
            "BOKAB_Um_20250131083000_SE-LIBR123.iso88591",
            "BOKAB_Um_20250131083000_SE-LIBR123.iso88591",
        ),
        ("Vårens böcker (3).xml", "Vårens_böcker_(3).xml"),
        ("Va\u030arens.xml", "Vårens.xml"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("b\udce5.mrc", "b_.mrc"),
        ("a:b*c?.mrc", "a_b_c_.mrc"),
        ("n" * 300 + ".mrc", "n" * 146 + ".mrc"),
        ("ö" * 100 + ".mrc", "ö" * 73 + ".mrc"),
    ],
)
def test_a_safe_name_stays_readable(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_bytes_that_are_no_text_are_shown_escaped() -> None:
    assert printable("b\udce5.mrc") == "b\\udce5.mrc"


def test_the_areas_are_those_of_the_page() -> None:
    assert [str(each) for each in Area] == [
        "incoming",
        "handed",
        "archive",
        "quarantine",
        "rejects",
        "reports",
        "exports",
        "marts",
        "data-docs",
    ]
