"""docs/patron-merge.md names every rule of the merge and of identity, and every path with its default mode."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from schemas.patrons import PATHS
from schemas.register.patron_policy import DEFAULT_PATHS
from tasks.patrons import identity, merge

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "patron-merge.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def quoted_in_last_cell(text: str) -> set[str]:
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row[-1])}


def test_every_rule_of_the_merge_is_in_the_table() -> None:
    assert quoted_in_last_cell(section("The table").split("### Examples")[0]) == set(get_args(merge.Rule))


def test_every_rule_of_identity_is_in_the_table() -> None:
    assert quoted_in_last_cell(section("Who a row is about")) == set(get_args(identity.IdentityRule))


def test_every_path_stands_once_beside_its_default_mode() -> None:
    found: dict[str, str] = {}
    for line in section("Paths").splitlines():
        if line.startswith("| `"):
            paths, mode = line.strip("| ").split(" | ")
            for path in re.findall(r"`(\w+)`", paths):
                assert path not in found
                found[path] = re.findall(r"`(\w+)`", mode)[0]
    assert found == {path: DEFAULT_PATHS[path].mode for path in PATHS}
