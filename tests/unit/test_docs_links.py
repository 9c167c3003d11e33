"""README and docs lead somewhere: links to files and headings, commands that parse, make targets, SQL that runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer

from deployments.cli.app import build
from tasks.warehouse.all_tables import metadata
from tasks.warehouse.views import create_views

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
PLACEHOLDER = re.compile(r"[A-Z]{2,}")
"""FILE, CODE, HASH: what a person puts in. `1` stands for all of them, which is a number and a name."""


def without_code(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them in links."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[str]:
    """Relative links of a page."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text("utf-8"))):
        if not re.match(r"[a-z]+:", target):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    broken = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert broken == []


def test_every_page_is_named_by_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    named = {(index.parent / target.partition("#")[0]).resolve() for target in links(index)}
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - named == {index}


def code_lines(text: str) -> Iterator[str]:
    """Lines of code blocks that a person would type: behind `$ ` in a console, else every line."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if language == "console":
                if line.startswith("$ "):
                    yield line[2:]
            elif language in ("", "sh", "bash"):
                yield line
    yield from re.findall(r"^    (\S.*)$", without_code(text), re.MULTILINE)


def typed_commands(text: str) -> Iterator[list[str]]:
    """The words of each `samkat ...` line, without what a shell or a reader would take away."""
    for line in code_lines(text):
        for part in re.split(r";\s+", line):
            part = re.sub(r"^(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?", "", part)
            if part.startswith("samkat "):
                yield words_of(re.split(r" {2,}", part)[0])


def words_of(command: str) -> list[str]:
    """The words behind `samkat`, comments gone, placeholders filled in."""
    words = shlex.split(command.replace("...", ""), comments=True)[1:]
    return ["1" if PLACEHOLDER.fullmatch(word) else word for word in words]


@cache
def samkat() -> Any:
    """The commands; making them anew for every line quoted took longest."""
    return typer.main.get_command(build())


def found_command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the words behind its name."""
    command = samkat()
    words = list(words)
    while words and getattr(command, "commands", None):
        name = words.pop(0)
        assert name in command.commands, f"there is no command {name!r} in {command.name!r}"
        command = command.commands[name]
    return command, words


def test_the_pages_do_quote_commands() -> None:
    quoted = [" ".join(words) for page in PAGES for words in typed_commands(page.read_text("utf-8"))]
    assert len(quoted) >= 40
    assert "plans approve 1 --by 1" in quoted


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_in_a_code_block_parses(page: Path) -> None:
    for words in typed_commands(page.read_text("utf-8")):
        command, rest = found_command(words)
        assert not getattr(command, "commands", None), f"samkat {' '.join(words)} is a group"
        if rest != ["--help"]:
            command.make_context(command.name, rest)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_in_a_sentence_is_there_with_its_options(page: Path) -> None:
    for quoted in re.findall(r"`(samkat [^`]+)`", without_code(page.read_text("utf-8"))):
        words = words_of(" ".join(quoted.split()))
        if words[0] in ("1", "--help"):
            continue  # `samkat COMMAND --help`
        command, rest = found_command(words)
        known = {name for parameter in command.params for name in parameter.opts} | {"--help"}
        assert {word for word in rest if word.startswith("--")} <= known, quoted


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_make_target_is_in_the_makefile(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = page.read_text("utf-8")
    typed = [line.split()[1] for line in code_lines(text) if line.startswith("make ")]
    assert {*typed, *re.findall(r"`make ([a-z-]+)`", text)} <= targets


def statements() -> Iterator[tuple[str, str]]:
    """(page, statement) for all SQL on the pages."""
    for name, page in zip(NAMES, PAGES, strict=True):
        for block in re.findall(r"^```sql\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
            yield from ((name, statement.strip()) for statement in block.split(";") if statement.strip())


def test_every_statement_on_the_pages_is_one_that_the_warehouse_takes() -> None:
    engine = sa.create_engine("sqlite://")
    quoted = list(statements())
    assert len(quoted) >= 10
    with engine.begin() as connection:
        metadata.create_all(connection)
        create_views(connection)
        for name, statement in quoted:
            try:
                connection.exec_driver_sql(f"EXPLAIN {statement}")
            except sa.exc.DBAPIError as error:
                pytest.fail(f"{name}: {error.orig}: {statement}")
    engine.dispose()
