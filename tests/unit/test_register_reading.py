"""Reading the register: the sample is right, and every mistake is told with file, key, value and remedy."""

from __future__ import annotations

import shutil
import tomllib
from datetime import date
from pathlib import Path

import pytest

from config.reading import DEFAULT_GUARDS, read_register, register_version
from config.settings import SAMPLE_REGISTER
from schemas.errors import ConfigurationError
from schemas.register.catalogue import CatalogueRules
from schemas.register.matching import MatchingPolicy, MatchingWeights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the sample register, to be spoilt."""
    return Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))


def _spoil(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def _refusal(folder: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        read_register(folder)
    assert caught.value.exit_code == 2
    return caught.value


def test_the_sample_consortium_has_its_libraries_and_suppliers() -> None:
    register = read_register(SAMPLE_REGISTER)
    assert [each.code for each in register.suppliers] == ["BOKRING", "NORDBOK", "MEDIAT", "FORHAND", "EBOKEN", "GAMLA"]
    assert len(register.libraries) == 11
    assert {each.language for each in register.libraries} == {"sv", "no", "da", "en"}
    assert [each.sigel for each in register.libraries if not each.is_visible] == ["SOLG", "GRAN", "FJVG"]
    night = date(2025, 3, 14)
    assert [each.sigel for each in register.libraries if not each.has_agreement(night)] == ["OSTA"]
    assert [each.code for each in register.suppliers if not each.has_agreement(night)] == ["GAMLA"]
    assert [each.code for each in register.suppliers if each.normalisation.force_level] == ["MEDIAT"]
    assert [each.code for each in register.suppliers if each.libraries] == ["NORDBOK"]
    assert [each.code for each in register.suppliers if not each.has_holdings] == ["EBOKEN"]


def test_the_default_level_table_is_that_of_the_reference() -> None:
    tables = read_register(SAMPLE_REGISTER).levels.tables
    replaced = {name: {level: set(row) for level, row in table.replaces.items()} for name, table in tables.items()}
    full = (" ", "1", "2")
    early = {"5": {"5"}, "8": {"5", "8"}, "3": {"5", "8"}, "7": {"5", "8"}}
    assert replaced == {
        "default": {**early, **{level: set("3578") for level in full}},
        "libris_today": {**early, **{level: set() for level in full}},
        "rules_2010": {**early, **{level: set("58") for level in full}},
    }


def test_the_sample_writes_out_every_key_of_the_evidence() -> None:
    document = tomllib.loads((SAMPLE_REGISTER / "matching.toml").read_text(encoding="utf-8"))
    assert document.keys() == MatchingPolicy.model_fields.keys()
    assert document["weights"].keys() == MatchingWeights.model_fields.keys()
    assert read_register(SAMPLE_REGISTER).matching.weights == MatchingWeights()


def test_optional_files_may_be_missing(folder: Path) -> None:
    for name in ("matching", "guards", "catalogue"):
        (folder / f"{name}.toml").unlink()
    register = read_register(folder)
    assert register.matching == MatchingPolicy()
    assert register.catalogue == CatalogueRules()
    assert register.guards == DEFAULT_GUARDS


def test_a_register_without_guards_is_guarded_as_the_sample_is() -> None:
    assert read_register(SAMPLE_REGISTER).guards == DEFAULT_GUARDS


@pytest.mark.parametrize("name", ["suppliers", "libraries", "levels"])
def test_needed_files_must_be_there(folder: Path, name: str) -> None:
    (folder / f"{name}.toml").unlink()
    error = _refusal(folder)
    assert error.file == str(folder / f"{name}.toml")
    assert error.cause == "is missing"


def test_a_missing_folder_names_the_setting(tmp_path: Path) -> None:
    error = _refusal(tmp_path / "nowhere")
    assert error.file == str(tmp_path / "nowhere")
    assert error.remedy is not None
    assert "SAMKAT_REGISTER" in error.remedy


def test_a_misnamed_file_is_not_quietly_ignored(folder: Path) -> None:
    (folder / "matching.toml").rename(folder / "maching.toml")
    error = _refusal(folder)
    assert error.file == str(folder / "maching.toml")
    assert error.remedy == "did you mean matching?"


@pytest.mark.parametrize(
    ("file", "old", "new", "field", "cause", "remedy"),
    [
        (
            "suppliers",
            "level_ceiling =",
            "level_cieling =",
            "supplier[FORHAND].level_cieling",
            "unknown key",
            "did you mean level_ceiling?",
        ),
        (
            "suppliers",
            "min_isbn_share = 0.7",
            "min_isbn_shar = 0.7",
            "supplier[FORHAND].quality.min_isbn_shar",
            "unknown key",
            "did you mean min_isbn_share?",
        ),
        (
            "suppliers",
            "min_isbn_share = 0.7",
            "min_isbn_share = 7",
            "supplier[FORHAND].quality.min_isbn_share",
            "7: Input should be less than or equal to 1",
            None,
        ),
        (
            "suppliers",
            "min_isbn_share = 0.7",
            'min_isbn_share = "0.7"',
            "supplier[FORHAND].quality.min_isbn_share",
            '"0.7": Input should be a valid number',
            None,
        ),
        (
            "suppliers",
            "has_holdings = false",
            "has_holdings = 0",
            "supplier[EBOKEN].has_holdings",
            "0: Input should be a valid boolean",
            None,
        ),
        (
            "suppliers",
            'name = "Bokringen AB"',
            "",
            "supplier[BOKRING].name",
            "is missing",
            None,
        ),
        (
            "suppliers",
            'code = "BOKRING"',
            "",
            "supplier[no. 1].code",
            "is missing",
            None,
        ),
        (
            "suppliers",
            "agreement_to = 2022-12-31",
            "agreement_to = 2002-12-31",
            "supplier[GAMLA]",
            "agreement_to is before agreement_from",
            None,
        ),
        (
            "suppliers",
            "(?P<sigel>[A-Z]{2,10})",
            "(?P<sigel>[A-Z]{2,10}",
            "supplier[BOKRING].file.pattern",
            "not a regular expression",
            None,
        ),
        ("libraries", '[[library]]\nsigel = "SOLB"', '[[libary]]\nsigel = "SOLB"', "libary", "unknown key", "library?"),
        (
            "libraries",
            'participation = "registering"',
            'participation = "registring"',
            "library[SOLB].participation",
            "\"registring\": Input should be 'registering' or 'limited'",
            None,
        ),
        (
            "libraries",
            "agreement_from = 2012-09-01",
            "agreement_from = 2012-09-01T00:00:01",
            "library[SOLB].agreement_from",
            '"2012-09-01T00:00:01": ',
            None,
        ),
        (
            "libraries",
            'suppliers = ["BOKRING", ',
            'suppliers = ["BOKRINGEN", ',
            "VLIE.suppliers",
            "unknown supplier BOKRINGEN",
            "correct the code, or add the supplier to suppliers.toml",
        ),
        (
            "suppliers",
            'libraries = ["SOLB", ',
            'libraries = ["SLOB", ',
            "NORDBOK.libraries",
            "unknown sigel SLOB",
            "correct the sigel, or add the library to libraries.toml",
        ),
        (
            "suppliers",
            'level_ceiling = "8"',
            'level_table = "rules_2011"',
            "FORHAND.level_table",
            "no table 'rules_2011'",
            "correct the name, or add the table to levels.toml",
        ),
        ("libraries", 'sigel = "SOLB"', 'sigel = "LUNV"', None, "LUNV is there twice", "keep one of them"),
        (
            "levels",
            '"5" = "5"',
            '"5" = "9"',
            "tables.default",
            "unknown encoding level '9'",
            None,
        ),
        (
            "levels",
            "unclear_incoming",
            "unclear_incomming",
            "tables.default.unclear_incomming",
            "unknown key",
            "did you mean unclear_incoming?",
        ),
        (
            "matching",
            "title_equal =",
            "title_eqal =",
            "weights.title_eqal",
            "unknown key",
            "did you mean title_equal?",
        ),
        ("matching", "match_at = 0.9", "match_at = nan", "match_at", "nan is not a number", None),
        ("matching", "title_equal = 0.5", "title_equal = inf", "weights.title_equal", "inf is not a number", None),
        (
            "guards",
            "at_least = 1000",
            "at_lest = 1000",
            "flows.supplier-ingest.bib_replace.at_lest",
            "unknown key",
            "did you mean at_least?",
        ),
        (
            "catalogue",
            'operator = "drift@samkatalogen.example"',
            'operator = "drift"',
            "operator",
            '"drift": String should match pattern',
            None,
        ),
        (
            "catalogue",
            'control_number_prefix = "SAMKAT"',
            'control_number_prefix = "SK"',
            "supplier[BOKRING].normalisation.own_prefix",
            "'SAMKAT' differs from control_number_prefix 'SK'",
            "make the two equal",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(
    folder: Path, file: str, old: str, new: str, field: str | None, cause: str, remedy: str | None
) -> None:
    _spoil(folder / f"{file}.toml", old, new)
    error = _refusal(folder)
    assert error.file == str(folder / f"{'suppliers' if 'own_prefix' in str(field) else file}.toml")
    assert error.field == field
    assert cause in error.cause
    assert error.remedy is not None
    assert (remedy or "docs/register.md") in error.remedy


def test_levels_need_a_default_table(folder: Path) -> None:
    file = folder / "levels.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("tables.default", "tables.ours"), encoding="utf-8")
    error = _refusal(folder)
    assert error.cause == "a table named `default` is needed"
    assert error.file == str(file)


def test_toml_that_breaks_tells_the_line(folder: Path) -> None:
    _spoil(folder / "guards.toml", "at_least = 1000", "at_least = = 1000")
    error = _refusal(folder)
    assert error.file == str(folder / "guards.toml")
    assert "line 6" in error.cause


def test_a_file_in_latin_1_is_refused_as_such(folder: Path) -> None:
    file = folder / "libraries.toml"
    file.write_bytes(file.read_text(encoding="utf-8").encode("latin-1"))
    assert "is not UTF-8" in _refusal(folder).cause


def test_a_byte_order_mark_does_no_harm(folder: Path) -> None:
    file = folder / "levels.toml"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert read_register(folder) == read_register(SAMPLE_REGISTER)


def test_several_mistakes_in_one_part_are_counted(folder: Path) -> None:
    _spoil(folder / "matching.toml", "match_at = 0.9", "mach_at = 0.9")
    _spoil(folder / "matching.toml", "review_at = 0.5", "reviw_at = 0.5")
    assert "1 more key is wrong in this part" in str(_refusal(folder))


def test_the_version_follows_the_contents(folder: Path) -> None:
    assert register_version(folder) == register_version(SAMPLE_REGISTER)
    assert len(register_version(folder)) == 64
    _spoil(folder / "matching.toml", "match_at = 0.9", "match_at = 0.91")
    assert register_version(folder) != register_version(SAMPLE_REGISTER)


def test_the_version_tells_one_file_from_two(tmp_path: Path) -> None:
    for name, files in (("one", {"a.toml": "xb.toml"}), ("two", {"a.toml": "x", "b.toml": ""})):
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text)
    assert register_version(tmp_path / "one") != register_version(tmp_path / "two")


ADMITTED = """sigel = "NYLU"
name = "Nylunda bibliotek"
participation = "registering"
agreement_from = 2026-04-01
contact = "medier@nylunda.example"
"""


def _admit(folder: Path, name: str, text: str) -> Path:
    (folder / "libraries").mkdir()
    file = folder / "libraries" / f"{name}.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_an_admitted_library_counts_like_those_of_the_one_file(folder: Path) -> None:
    before = register_version(folder)
    _admit(folder, "NYLU", ADMITTED)
    assert read_register(folder).library_by_sigel["NYLU"].agreement_from == date(2026, 4, 1)
    assert len(read_register(folder).libraries) == 12
    assert register_version(folder) != before


@pytest.mark.parametrize(
    ("name", "text", "field", "cause"),
    [
        ("NYL", ADMITTED, "sigel", "'NYLU' is not the file's name"),
        ("SOLB", ADMITTED.replace("NYLU", "SOLB"), None, "SOLB is there twice"),
        ("NYLU", f'{ADMITTED}kontakt = "x"\n', "kontakt", "unknown key"),
    ],
)
def test_an_admitted_library_that_is_wrong_is_named_with_its_file(
    folder: Path, name: str, text: str, field: str | None, cause: str
) -> None:
    file = _admit(folder, name, text)
    error = _refusal(folder)
    assert (error.field, error.cause) == (field, cause)
    if field:
        assert error.file == str(file)
