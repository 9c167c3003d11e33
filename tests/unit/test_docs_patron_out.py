"""docs/patron-formats.md names every element that goes out in its order, each reason, each finding, each limit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from schemas.alma_users import NOT_IN_ALMA, LeftOutRule
from tasks.patrons.alma_api import PAGE as USERS_A_PAGE
from tasks.patrons.alma_compose import AFTER_CONTACT_INFO, BEFORE_CONTACT_INFO, CONTACT_INFO
from tasks.patrons.alma_packing import MAX_FILES
from tasks.patrons.export_guards import OwnRule

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "patron-formats.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(text: str) -> set[str]:
    return {
        name
        for line in text.splitlines()
        if (row := re.match(r"\| (`.*?`) \|", line))
        for name in re.findall(r"`(\w+)`", row[1])
    }


def test_the_order_of_elements_is_that_of_the_composer() -> None:
    block = "\n".join(line for line in section("Out").splitlines() if line.startswith("    "))
    expected = [*BEFORE_CONTACT_INFO, "contact_info", *CONTACT_INFO, *AFTER_CONTACT_INFO]
    assert re.findall(r"\w+", block) == expected
    assert set(re.findall(r"`(\w+)` and `(\w+)` have no element", section("Out"))[0]) == NOT_IN_ALMA


def test_every_reason_to_leave_something_out_is_there() -> None:
    assert first_cells(section("Out")) == set(get_args(LeftOutRule))


def test_every_finding_of_an_export_is_there() -> None:
    checks = section("Read-back").split("### The REST API")[0]
    assert first_cells(checks) == set(get_args(OwnRule))


def test_the_limits_are_those_of_the_code() -> None:
    assert f"at most {MAX_FILES} XML files" in section("Out")
    assert f"pages of {USERS_A_PAGE}," in section("Read-back")
