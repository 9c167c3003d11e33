"""docs/matching.md names every rule, veto and doubt, and gives the figures that the code gives."""

from __future__ import annotations

import re
from pathlib import Path

from schemas.register.matching import MatchingPolicy
from tasks.marc.carrier import CARRIERS
from tasks.matching.verdict import judge
from tests.bench.bench_matching_quality import quality
from tests.unit.labelled_pairs import labelled_pairs

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "matching.md").read_text(encoding="utf-8")
SOURCES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "tasks" / "matching").glob("*.py")}


def _names(section: str) -> set[str]:
    return set(re.findall(r"`(?:veto|doubt):(\w+)`", PAGE.split(f"## {section}\n")[1].split("\n## ")[0]))


def test_every_veto_and_doubt_is_explained() -> None:
    made = set(re.findall(r'Objection\(\s*"(\w+)"', SOURCES["evidence"]))
    made |= set(re.findall(r'(?:veto|doubt)="(\w+)"', SOURCES["title"])) | {"edition", "edition_kind"}
    assert _names("Vetoes") | _names("Doubts") == made
    assert "edition_kind" in SOURCES["edition"]


def test_every_rule_that_is_met_is_explained() -> None:
    policy = MatchingPolicy()
    met = {"no_candidate", "several_equal", "identity_conflict", "too_many_candidates", "outranked"}  # of several bibs
    for pair in labelled_pairs():
        candidates = [(1, pair.existing.features(), how) for how in pair.found_by()]
        found = judge(pair.incoming.features(), candidates, policy)
        met |= {found.rule, *(each.rule for each in found.candidates)}
    numbers = "|".join(("isbn_a", "issn", "control_number", "035", "ean"))
    explained = {re.sub(rf"^({numbers})(?=_unc|_low|\+title_part\+)", "isbn_a", rule) for rule in met}
    assert {rule for rule in explained if f"`{rule}`" not in PAGE} == set()
    assert len(met) > 30


def test_every_carrier_is_named() -> None:
    section = PAGE.split("### Carrier\n")[1].split("\n### ")[0]
    assert {carrier for carrier in CARRIERS if not re.search(rf"\b{carrier}\b", section)} == set()


def test_the_points_on_the_page_are_the_defaults() -> None:
    policy = MatchingPolicy()
    table = PAGE.split("## Evidence and points\n")[1].split("\n### ")[0]
    figures = set(
        re.findall(r"-?\d+(?:\.\d+)?", " ".join(line for line in table.splitlines() if line.startswith("| `")))
    )
    said = {float(each) for each in figures}
    assert {name: value for name, value in policy.weights if value not in said} == {}
    endings = PAGE.split("## Endings\n")[1].split("\n## ")[0]
    for value in (policy.match_at, policy.review_at, policy.strong_feature, policy.clear_lead, policy.max_candidates):
        assert f"{value}" in endings


def test_the_quality_on_the_page_is_the_measured_one() -> None:
    for each in quality():
        row = (
            f"| {each.name} | {each.precision:.1%} | {each.recall:.1%} | {each.review_share:.1%} "
            f"| {each.matched_different} | {each.same - each.matched_same - each.asked_same} |"
        )
        assert row in PAGE
    pairs = labelled_pairs()
    same = sum(pair.truth == "same" for pair in pairs)
    assert f"has {len(pairs)} pairs" in PAGE
    assert f"{same} of one book and {len(pairs) - same} of two" in " ".join(PAGE.split())
