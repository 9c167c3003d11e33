"""May an incoming record replace the existing one? The default table of the register, cell by cell, and its guards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from tasks.catalogue.levels import ExistingBib, LevelReading, may_replace

REGISTER = read_register(SAMPLE_REGISTER)
LEVELS = REGISTER.levels
SUPPLIER = REGISTER.supplier_by_code["NORDBOK"].model_copy(update={"level_table": None})
OTHERS = ExistingBib("7", "catalogue", "system", False, None)

# Incoming level: the existing levels that it replaces, of another source. Source: reference, the default table.
REPLACES = {" ": "3578", "1": "3578", "2": "3578", "3": "58", "7": "58", "8": "5", "5": ""}


@pytest.mark.parametrize("incoming", sorted(REPLACES))
@pytest.mark.parametrize("existing", sorted(set(" 123578")))
def test_each_cell_of_the_default_table(incoming: str, existing: str) -> None:
    found = may_replace(incoming, None, replace(OTHERS, encoding_level=existing), SUPPLIER, LEVELS)
    assert found.replaces is (existing in REPLACES[incoming])


@pytest.mark.parametrize("level", list("3578"))
def test_equal_levels_replace_only_when_one_source_made_both(level: str) -> None:
    own = replace(OTHERS, encoding_level=level, source="NORDBOK")
    assert may_replace(level, None, own, SUPPLIER, LEVELS).rule == "replaced_same_source"
    assert may_replace(level, None, replace(own, source="MEDIAT"), SUPPLIER, LEVELS).rule == "kept_equal_level"


@pytest.mark.parametrize("level", list(" 12"))
def test_nothing_replaces_a_full_level_not_even_its_own_source(level: str) -> None:
    full = replace(OTHERS, encoding_level=level, source="NORDBOK")
    assert may_replace(" ", None, full, SUPPLIER, LEVELS).rule == "kept_full_level"


def test_the_national_bibliography_and_human_edits_are_never_replaced() -> None:
    poor = replace(OTHERS, encoding_level="5")
    national = may_replace(" ", None, replace(poor, is_national_bibliography=True), SUPPLIER, LEVELS)
    edited = may_replace(" ", None, replace(poor, last_editor="human"), SUPPLIER, LEVELS)
    assert (national.replaces, national.rule) == (False, "kept_national_bibliography")
    assert (edited.replaces, edited.rule) == (False, "kept_human_edit")


def test_an_older_delivery_of_the_same_source_never_replaces_a_newer_one() -> None:
    newer = replace(OTHERS, source="NORDBOK", sent_at_name="20250314120000")
    assert may_replace("7", "20250314110000", newer, SUPPLIER, LEVELS).rule == "kept_older_delivery"
    assert may_replace("7", "20250314130000", newer, SUPPLIER, LEVELS).replaces


@pytest.mark.parametrize("code", list("4eijklmuz"))
def test_codes_of_other_formats_are_read_as_level_3(code: str) -> None:
    assert may_replace(code, None, replace(OTHERS, encoding_level="8"), SUPPLIER, LEVELS).replaces
    assert not may_replace(code, None, OTHERS, SUPPLIER, LEVELS).replaces


def test_an_unclear_code_ranks_low_on_the_incoming_record_and_high_on_the_existing_one() -> None:
    assert not may_replace("?", None, replace(OTHERS, encoding_level="8"), SUPPLIER, LEVELS).replaces
    assert not may_replace("7", None, replace(OTHERS, encoding_level="?"), SUPPLIER, LEVELS).replaces


@pytest.mark.parametrize(
    ("level", "ceiling", "read_as"),
    [(" ", "7", "7"), ("1", "7", "7"), ("8", "7", "8"), ("5", "8", "5"), ("7", "8", "8")],
)
def test_a_level_above_the_ceiling_is_read_as_the_ceiling(level: str, ceiling: str, read_as: str) -> None:
    assert LevelReading(LEVELS, ceiling).lowered(level) == read_as


def test_the_ceiling_is_written_into_the_record_whatever_its_format() -> None:
    iso = b"00026nam a2200025 a 4500\x1e\x1d"
    xml = b"<record><leader>00000nam a2200000 a 4500</leader></record>"
    reading = LevelReading(LEVELS, "7")
    assert reading.apply(" ", None, iso) == ("7", iso[:17] + b"7" + iso[18:])
    level, written = reading.apply(" ", xml, b"")
    assert (level, written) == ("7", xml.replace(b"2200000 a", b"22000007a"))
    assert reading.apply("8", None, iso) == ("8", None)
