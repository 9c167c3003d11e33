"""What commands say in words: numbers agree with what they count, and a list says what it is a list of."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from config.settings import Settings
from deployments.cli.demo import how_to_go_on
from deployments.cli.libraries import met_in_words
from deployments.cli.pairs import render_pairs
from deployments.cli.why import _render_around
from tasks.catalogue.trail import Notice
from tasks.merging.shown import ShownPair

NIGHT = datetime(2026, 3, 1, 2, tzinfo=UTC)
PAIR = ShownPair(
    1, 7, 12, "Fyren", "Fyren", "open", "match", 1.95, "isbn", "the same", "c@x.example", NIGHT, None, None
)
MAIL = Notice(4, "digest", "solb@solb.example", "2 titles", "sent", NIGHT, NIGHT, None)


@pytest.fixture
def paper() -> Console:
    return Console(file=io.StringIO(), width=120)


def written(paper: Console) -> str:
    assert isinstance(paper.file, io.StringIO)
    return paper.file.getvalue()


@pytest.mark.parametrize(
    ("unmet", "said"), [(0, "every rule is met"), (1, "1 rule is not met"), (2, "2 rules are not met")]
)
def test_the_head_of_a_checklist_counts_the_rules_that_are_not_met(unmet: int, said: str) -> None:
    assert met_in_words(unmet) == said


@pytest.mark.parametrize(("number", "said"), [(1, "1 pair of bibs"), (2, "2 pairs of bibs")])
def test_one_pair_is_not_called_pairs(paper: Console, number: int, said: str) -> None:
    render_pairs(paper, [PAIR] * number)
    assert said in written(paper)


def test_the_emails_of_a_delivery_are_not_passed_off_as_being_about_one_title(paper: Console, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    _render_around(paper, settings, (), (MAIL, MAIL))
    assert written(paper).startswith("E-mails about these deliveries, also about their other titles:\nE-mail 4, digest")
    _render_around(paper, settings, (), ())
    assert written(paper).count("other titles") == 1


def test_after_the_demonstration_no_command_meets_the_warehouse_of_the_persons_own_settings(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    own = ["SAMKAT_HOME", "SAMKAT_TODAY", "SAMKAT_WAREHOUSE_URL"]
    assert how_to_go_on(settings, own)[1] == "  unset SAMKAT_WAREHOUSE_URL"
    assert how_to_go_on(settings, [])[1].startswith(f"  export SAMKAT_HOME={tmp_path} ")
