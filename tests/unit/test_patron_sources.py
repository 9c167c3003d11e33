"""patron_sources.toml: the sample is right, and every mistake is told with file, key, value and remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.errors import ConfigurationError
from schemas.patrons import PATHS
from schemas.register.patron_sources import BUPS1_COLUMNS, NATIONAL_ID_CODES, Target, target_of

DOCS = Path(__file__).resolve().parents[2] / "docs" / "patron-formats.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the sample register, to be spoilt."""
    return Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))


def test_the_sample_has_a_university_a_college_a_hospital_and_a_municipality() -> None:
    sources = read_register(SAMPLE_REGISTER).patron_sources
    assert [(each.code, each.institution, each.format, each.charset) for each in sources] == [
        ("NORUPERS", "NORU", "bups1", "iso8859-1"),
        ("VESTSTUD", "VEST", "bups2", "utf-8"),
        ("SJUKHUS", "NORU", "csv", "utf-8"),
        ("FJORKOMM", "FJOR", "csv", "windows-1252"),
    ]
    assert all(each.rhythm for each in sources)


def test_a_sources_own_codes_replace_or_add_to_those_of_the_standard() -> None:
    columns = {each.name: each for each in read_register(SAMPLE_REGISTER).patron_sources[0].all_columns}
    assert set(columns) == {each.name for each in BUPS1_COLUMNS} | {"EP", "TM"}
    assert columns["SK"].values["NNO"] == "nn"
    assert not set(columns) & set(NATIONAL_ID_CODES)


def test_a_register_without_the_file_has_no_sources(folder: Path) -> None:
    (folder / "patron_sources.toml").unlink()
    assert read_register(folder).patron_sources == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("raw_days = 7", "raw_dyas = 7", ["patron_source[NORUPERS].raw_dyas", "did you mean raw_days?"]),
        ('format = "bups1"', 'format = "bups9"', ["patron_source[NORUPERS].format", "bups9"]),
        ('to = ["last_name"]', 'to = ["lastname"]', ["patron_source[SJUKHUS].columns", "there is no path lastname"]),
        ('to = ["last_name"]', 'to = ["emails"]', ["patron_source[SJUKHUS].columns", "emails[type].field"]),
        ('name = "EP"', 'name = "FR"', ["patron_source[NORUPERS]", "'FR' is no code of BUPS 1 that can be taken"]),
        ('name = "TM"', 'name = "EP"', ["patron_source[NORUPERS]", "EP is there twice"]),
        ('stable_ids = ["employee_no"]', 'stable_ids = ["orcid"]', ["patron_source[SJUKHUS]", "no column carries any"]),
        ('library = "VEST"', 'library = "VESTT"', ["VESTSTUD.library", "unknown sigel VESTT", "libraries.toml"]),
        ('code = "SJUKHUS"', 'code = "BOKRING"', ["BOKRING.code", "a supplier has it", "choose another code"]),
        ('code = "SJUKHUS"', 'code = "VESTSTUD"', ["VESTSTUD is there twice"]),
        (
            'account_type = "EXTERNAL"',
            'emails = "x"',
            ["patron_source[SJUKHUS].constants", "'emails' is no scalar path"],
        ),
        ('split = ","', 'split = ","\nto_not = 1', ["columns", "to_not", "unknown key"]),
        ('pattern = "[A-Za-z]{3}"', 'pattern = "["', ["pattern", "not a regular expression"]),
    ],
)
def test_a_mistake_is_told_with_its_place(folder: Path, old: str, new: str, words: list[str]) -> None:
    file = folder / "patron_sources.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_register(folder)
    assert caught.value.file == str(file)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("first_name", Target("first_name", "", "", 1)),
        ("emails[work].email_address", Target("emails", "email_address", "work", 1)),
        ("emails[work#2].email_address", Target("emails", "email_address", "work", 2)),
        ("addresses[].type", Target("addresses", "type", "", 1)),
        ("affiliation.valid_to", Target("affiliation", "valid_to", "", 1)),
        ("rekeyed_from[barcode]", Target("rekeyed_from", "", "barcode", 1)),
    ],
)
def test_a_target_is_taken_apart(text: str, target: Target) -> None:
    assert target_of(text) == target


@pytest.mark.parametrize(
    "text",
    ["", "First_name", "first_name.x", "first_name[x]", "emails.email_address", "affiliation.group", "rekeyed_from"],
)
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"target|write|path"):
        target_of(text)


def _yes_no(flag: bool) -> str:
    return "yes" if flag else "no"


def test_every_path_is_on_the_page_with_kind_type_and_whether_it_is_personal() -> None:
    page = DOCS.read_text(encoding="utf-8")
    rows = {
        path.name: f"| `{path.name}` | {path.kind} | {path.value_type} | {_yes_no(path.is_personal)} | {path.meaning} |"
        for path in PATHS.values()
    }
    missing = [name for name, row in rows.items() if row not in page]
    assert missing == []


def test_every_code_of_bups_1_is_on_the_page() -> None:
    page = DOCS.read_text(encoding="utf-8")
    assert [each.name for each in BUPS1_COLUMNS if f"| {each.name} |" not in page] == []
