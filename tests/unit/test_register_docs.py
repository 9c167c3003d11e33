"""docs/register.md lists every key of the register with meaning and default."""

from __future__ import annotations

import json
import tomllib
from datetime import time
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from schemas.register.account_guards import AccountGuards, AccountRaise
from schemas.register.account_rules import (
    AccountRetention,
    AccountSystem,
    Campaign,
    EndDates,
    Example,
    ExampleGiven,
    ExampleThen,
    ExampleWhen,
    Outbound,
    Retirement,
    RoleRule,
    Rotation,
    TargetHealth,
)
from schemas.register.account_sources import AccountSource
from schemas.register.base import RegisterModel
from schemas.register.catalogue import CatalogueRules
from schemas.register.export_profiles import ExportProfile, ExportTriggers
from schemas.register.guards import GuardLimit
from schemas.register.import_profiles import FieldRule, HoldingRule, ImportMatching, ImportProfile, RecordRules
from schemas.register.levels import LevelPolicy, LevelTable
from schemas.register.libraries import Library
from schemas.register.matching import MatchingPolicy, MatchingWeights
from schemas.register.participation import ParticipationRules
from schemas.register.patron_limits import PATRON_CHANGES, GuardRaise, PatronGuards, PatronLimit
from schemas.register.patron_policy import (
    IdentifierRule,
    PathRule,
    PatronPolicy,
    PatronRetention,
    Precedence,
    Protection,
)
from schemas.register.patron_sources import Column, CsvRules, JsonRules, PatronFileRules, PatronSource
from schemas.register.patron_targets import ExportRules, PatronTarget
from schemas.register.patron_validity import AbsenceRules, ErasureRules, LifecycleRules, TermCalendar, ValidityRule
from schemas.register.retention import Retention
from schemas.register.rhythm import Rhythm
from schemas.register.suppliers import FileRules, NormalisationRules, QualityLimits, Supplier

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "register.md").read_text(encoding="utf-8")
SECTIONS: dict[str, type[RegisterModel]] = {
    "### `[[supplier]]`": Supplier,
    "### `[supplier.file]`": FileRules,
    "### `[supplier.normalisation]`": NormalisationRules,
    "### `[supplier.quality]`": QualityLimits,
    "### `[supplier.rhythm]`": Rhythm,
    "### `[[patron_source]]`": PatronSource,
    "### `[[patron_source.columns]]`": Column,
    "### `[patron_source.csv_rules]`": CsvRules,
    "### `[patron_source.json_rules]`": JsonRules,
    "### `[patron_source.file]`": PatronFileRules,
    "### `[[patron_target]]`": PatronTarget,
    "### `[patron_target.export]`": ExportRules,
    "### `[[library]]`": Library,
    "### `[[export_profile]]`": ExportProfile,
    "### `[export_profile.triggers]`": ExportTriggers,
    "### `[[import_profile]]`": ImportProfile,
    "### `[import_profile.record]`": RecordRules,
    "### `[[import_profile.fields]]`": FieldRule,
    "### `[[import_profile.holdings]]`": HoldingRule,
    "### `[import_profile.matching]`": ImportMatching,
    "## participation.toml": ParticipationRules,
    "## patron_policy.toml": PatronPolicy,
    "### `[paths.PATH]`": PathRule,
    "### `[[protection]]`": Protection,
    "### `[[precedence]]`": Precedence,
    "### `[identifiers.TYPE]`": IdentifierRule,
    "### `[guards.limits.CLASS]`": PatronLimit,
    "### `[[guards.raises]]`": GuardRaise,
    "### `[[validity]]`": ValidityRule,
    "### `[calendars.NAME]`": TermCalendar,
    "### `[absence]`": AbsenceRules,
    "### `[lifecycle]`": LifecycleRules,
    "### `[erasure]`": ErasureRules,
    "### `[retention]`": PatronRetention,
    "### `[[account_source]]`": AccountSource,
    "## account_rules/SYSTEM.toml": AccountSystem,
    "### `[ends]`": EndDates,
    "### `[[roles]]`": RoleRule,
    "### `[campaign]`": Campaign,
    "### `[rotation]`": Rotation,
    "### `[retirement]`": Retirement,
    "### `[health]`": TargetHealth,
    "### `[outbound]`": Outbound,
    "### `[guards]`": AccountGuards,
    "### `[retention]` of accounts": AccountRetention,
    "### `[[guards.raises]]` of accounts": AccountRaise,
    "### `[[examples]]`": Example,
    "#### `given`": ExampleGiven,
    "#### `when`": ExampleWhen,
    "#### `then`": ExampleThen,
    "## levels.toml": LevelPolicy,
    "### `[tables.NAME]`": LevelTable,
    "## matching.toml": MatchingPolicy,
    "### `[weights]`": MatchingWeights,
    "### `[flows.FLOW.CLASS]`": GuardLimit,
    "## catalogue.toml": CatalogueRules,
    "## retention.toml": Retention,
}


def _rows(heading: str) -> dict[str, list[str]]:
    """Key: its cells, for the first table under a heading."""
    section = PAGE.split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]
    table = section.split("| key | meaning | default |\n|---|---|---|\n", 1)[1].split("\n\n", 1)[0]
    cells = [line.replace(r"\|", "/").strip("| ").split(" | ") for line in table.strip().splitlines()]
    return {row[0].strip("`"): row[1:] for row in cells}


@pytest.mark.parametrize("heading", SECTIONS, ids=lambda heading: heading.strip("#` "))
def test_every_key_has_its_row_with_a_meaning(heading: str) -> None:
    rows = _rows(heading)
    assert list(rows) == list(SECTIONS[heading].model_fields)
    assert [key for key, cells in rows.items() if len(cells) != 2 or len(cells[0]) < 5] == []


@pytest.mark.parametrize("heading", SECTIONS, ids=lambda heading: heading.strip("#` "))
def test_the_defaults_on_the_page_are_those_of_the_code(heading: str) -> None:
    rows = _rows(heading)
    wrong = {}
    for key, field in SECTIONS[heading].model_fields.items():
        said, default = rows[key][1], field.get_default(call_default_factory=True)
        expected = {"needed": PydanticUndefined, "not set": None, "empty": ()}.get(said, said)
        if isinstance(default, tuple) and any(isinstance(each, RegisterModel) for each in default):
            continue
        if isinstance(default, str | int | float | bool) or (isinstance(default, tuple) and default):
            expected = json.loads(said.strip("`"))
            default = list(default) if isinstance(default, tuple) else default
        elif isinstance(default, time):
            expected, default = said, default.isoformat("minutes")
        elif isinstance(default, dict | RegisterModel):
            continue
        if expected != default:
            wrong[key] = (said, default)
    assert wrong == {}


def test_every_guarded_class_of_the_sample_is_on_the_page() -> None:
    flows = tomllib.loads((ROOT / "config/register/guards.toml").read_text(encoding="utf-8"))["flows"]
    for flow, classes in flows.items():
        for name in classes:
            assert f"| `{flow}` | `{name}` |" in PAGE


def test_every_guarded_class_of_patrons_is_on_the_page_with_its_limit() -> None:
    guards = PatronGuards()
    for change in PATRON_CHANGES:
        limit = guards.limit_of(change)
        summed = f", also summed over {limit.sum_days} days" if limit.sum_days else ""
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{change}` |") and "max(" in line]
        assert row.endswith(f"| max({limit.at_least}, {limit.share:.0%}){summed} |")
