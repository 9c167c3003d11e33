"""Applications as they are read, and the register's entries that are made of them."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.applications import Application
from schemas.errors import ConfigurationError, UsageError
from schemas.register.libraries import Library
from tasks.joining.entry import entry_text, library_in, library_of, remove_entry, write_entry
from tests.unit.library_samples import PUBLIC, SCHOOL, application


@pytest.mark.parametrize(
    ("changes", "field", "cause", "remedy"),
    [
        ([("sigel =", "sygel =")], "sigel", "is missing", "docs/library-onboarding.md"),
        ([('kind = "public"', 'kind = "pubic"')], "kind", '"pubic"', "docs/library-onboarding.md"),
        (
            [("[contact]\n", "[contact]\ntelephone = 1\n")],
            "contact.telephone",
            "unknown key",
            "known here: answered_on",
        ),
        ([("is_competent = true", 'is_competent = "yes"')], "cataloguing.is_competent", '"yes"', "docs/"),
        ([("starts_on = 2025-04-01", "starts_on = 2025-04-01\nends_on = 2025-03-01")], "agreement", "ends_on", "docs/"),
        ([('sigel = "NYLU"', 'sigel = "../NYLU"')], "sigel", '"../NYLU"', "docs/"),
        ([('name = "Nylunda bibliotek"', 'name = "Nylunda\\nbibliotek"')], "name", "Nylunda", "docs/"),
    ],
)
def test_a_wrong_application_names_file_key_value_and_remedy(
    changes: list[tuple[str, str]], field: str, cause: str, remedy: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        application(PUBLIC, *changes)
    error = caught.value
    assert (error.file, error.field, error.exit_code) == ("application.toml", field, 2)
    assert cause in error.cause
    assert remedy in (error.remedy or "")


def test_what_an_application_leaves_out_counts_as_no() -> None:
    read = application(
        'sigel = "A"\nname = "B"\nkind = "public"\nparticipation = "limited"\n[contact]\nemail = "a@b.example"\n'
    )
    assert (read.agreement.signed_on, read.audience.is_closed, read.staffing.hours_a_week) == (None, False, None)


def test_an_entry_has_what_the_register_asks_and_says_where_it_comes_from() -> None:
    text = entry_text(library_of(application(SCHOOL)), "Admitted on 2025-03-14 by Ada Kvist")
    assert text == (
        "# Admitted on 2025-03-14 by Ada Kvist\n"
        'sigel = "NYLS"\nname = "Nylundaskolans bibliotek"\nmunicipality = "Solberg"\nparticipation = "limited"\n'
        'agreement_from = 2025-03-14\ncontact = "biblioteket@nylundaskolan.example"\nlanguage = "da"\n'
    )


LINES = st.text(min_size=1, max_size=40)


@given(
    name=LINES, consortium=st.none() | LINES, suppliers=st.lists(st.sampled_from(["NORDBOK", "BOKRING"]), max_size=2)
)
def test_an_entry_reads_back_whatever_the_library_is_called(
    name: str, consortium: str | None, suppliers: list[str]
) -> None:
    values = application().model_dump(mode="json") | {
        "name": name,
        "consortium": consortium,
        "suppliers": suppliers,
    }
    try:
        library = library_of(Application.model_validate(values))
    except ValidationError:
        return  # a control character, or a lone surrogate: refused where the application is read
    assert library_in(entry_text(library)) == library


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the sample register."""
    return Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))


def put(folder: Path, library: Library) -> bool:
    return write_entry(folder, library.sigel, entry_text(library), lambda: read_register(folder))


def test_an_entry_is_read_by_the_register_and_goes_again(folder: Path) -> None:
    library = library_of(application())
    assert put(folder, library)
    assert read_register(folder).library_by_sigel["NYLU"] == library
    assert not put(folder, library), "the same text twice is once"
    assert [each.name for each in (folder / "libraries").iterdir()] == ["NYLU.toml"]
    assert remove_entry(folder, "NYLU", entry_text(library), lambda: read_register(folder))
    assert "NYLU" not in read_register(folder).library_by_sigel
    assert not remove_entry(folder, "NYLU", entry_text(library), lambda: read_register(folder))


def test_nothing_is_written_over_and_nothing_changed_is_taken_away(folder: Path) -> None:
    library = library_of(application())
    put(folder, library)
    file = folder / "libraries" / "NYLU.toml"
    by_hand = file.read_text("utf-8").replace("medier@", "inkop@")
    file.write_text(by_hand, "utf-8")
    with pytest.raises(UsageError, match="is there already, and says something else"):
        put(folder, library)
    with pytest.raises(UsageError, match="was changed since"):
        remove_entry(folder, "NYLU", entry_text(library), lambda: None)
    assert file.read_text("utf-8") == by_hand


def test_an_entry_with_which_the_register_would_not_read_is_taken_back(folder: Path) -> None:
    library = library_of(application(PUBLIC, ('["NORDBOK"]', '["NOBODY"]')))
    with pytest.raises(ConfigurationError, match="unknown supplier NOBODY"):
        put(folder, library)
    assert list((folder / "libraries").iterdir()) == []
    assert len(read_register(folder).libraries) == 11


def test_an_entry_that_another_part_of_the_register_needs_is_put_back(folder: Path) -> None:
    library = library_of(application())
    put(folder, library)
    suppliers = folder / "suppliers.toml"
    suppliers.write_text(suppliers.read_text("utf-8").replace('["SOLB", ', '["NYLU", "SOLB", ', 1), "utf-8")
    with pytest.raises(ConfigurationError, match="unknown sigel NYLU") as caught:
        remove_entry(folder, "NYLU", entry_text(library), lambda: read_register(folder))
    assert caught.value.field == "NORDBOK.libraries"
    assert "take the library out of there first" in (caught.value.remedy or "")
    assert read_register(folder).library_by_sigel["NYLU"].agreement_from == date(2025, 4, 1)
