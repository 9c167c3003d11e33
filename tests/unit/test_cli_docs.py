"""docs/cli.md holds every command with its options and examples, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.test_cli_help import COMMANDS, options_of

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def sections() -> dict[str, str]:
    """`samkat review list` -> the text below its heading."""
    parts = re.split(r"^## (samkat .+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def described_options(text: str) -> set[str]:
    """Options of the list, not of the examples."""
    without_examples = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    items = re.findall(r"^\* (`--.+)$", without_examples, flags=re.MULTILINE)
    return {option for item in items for option in re.findall(r"`(--[a-z-]+)", item.partition(":")[0])}


def test_every_command_has_a_section_in_the_order_of_the_help() -> None:
    assert list(sections()) == list(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_a_section_lists_exactly_the_options_of_its_command(path: str) -> None:
    assert described_options(sections()[path]) == options_of(COMMANDS[path])


@pytest.mark.parametrize("path", COMMANDS)
def test_a_section_names_the_arguments_of_its_command(path: str) -> None:
    for parameter in COMMANDS[path].params:
        if not parameter.opts[0].startswith("-"):
            assert f"`{(parameter.metavar or parameter.name).upper()}`" in sections()[path]


@pytest.mark.parametrize("path", COMMANDS)
def test_a_section_shows_the_examples_of_the_help(path: str) -> None:
    examples = re.findall(r"^Example: (.+)$", COMMANDS[path].epilog, flags=re.MULTILINE)
    shown = re.findall(r"^\$ (.+)$", sections()[path], flags=re.MULTILINE)
    assert set(examples) <= set(shown)


def test_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([a-z-]+\.md)", PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / target).is_file(), target
