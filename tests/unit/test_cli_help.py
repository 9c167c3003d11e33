"""The help: every command says what it does and shows a line that a person could type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from deployments.cli.app import build, run


def commands() -> Iterator[tuple[str, Any]]:
    """(`samkat review list`, command) for every command that can be run."""

    def walk(path: str, found: Any) -> Iterator[tuple[str, Any]]:
        below = getattr(found, "commands", None)
        if not below:
            yield path, found
            return
        for name, each in below.items():
            yield from walk(f"{path} {name}", each)

    yield from walk("samkat", typer.main.get_command(build()))


COMMANDS = dict(commands())


def options_of(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name.startswith("--")}


def test_every_command_of_the_design_is_there() -> None:
    assert list(COMMANDS) == [
        "samkat demo",
        "samkat init",
        "samkat serve",
        "samkat ingest",
        "samkat match-collection",
        "samkat sweep",
        "samkat export",
        "samkat import",
        "samkat marts",
        "samkat intake",
        "samkat revert",
        "samkat status",
        "samkat data-docs",
        "samkat server start",
        "samkat server stop",
        "samkat server status",
        "samkat deployments list",
        "samkat deployments apply",
        "samkat catalogue load",
        "samkat catalogue merge",
        "samkat catalogue split",
        "samkat catalogue duplicates",
        "samkat catalogue merges",
        "samkat libraries check",
        "samkat libraries admit",
        "samkat libraries withdraw",
        "samkat libraries list",
        "samkat libraries freshness",
        "samkat suppliers list",
        "samkat suppliers show",
        "samkat suppliers test",
        "samkat suppliers customers",
        "samkat patrons sync",
        "samkat patrons protect",
        "samkat patrons release",
        "samkat patrons edit",
        "samkat patrons show",
        "samkat patrons merge",
        "samkat patrons split",
        "samkat patrons disclose",
        "samkat patrons erase",
        "samkat patrons obligations",
        "samkat patrons reviews",
        "samkat patrons decide",
        "samkat patrons update",
        "samkat patrons tokens add",
        "samkat patrons tokens list",
        "samkat patrons tokens revoke",
        "samkat accounts import",
        "samkat accounts sweep",
        "samkat accounts runs",
        "samkat accounts renewals",
        "samkat accounts renew",
        "samkat accounts rotate",
        "samkat accounts retire",
        "samkat accounts show",
        "samkat review list",
        "samkat review show",
        "samkat review decide",
        "samkat review worklist",
        "samkat review deadline",
        "samkat plans list",
        "samkat plans show",
        "samkat plans approve",
        "samkat plans reject",
        "samkat why bib",
        "samkat why holding",
        "samkat why account",
        "samkat why isbn",
        "samkat why patron",
    ]


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_shows_an_example_that_it_would_understand(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path.split()[1:], "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    epilog = COMMANDS[path].epilog or ""
    examples = re.findall(r"^Example: (.+)$", epilog, flags=re.MULTILINE)
    assert examples
    for example in examples:
        assert example in shown
        words = [word for word in shlex.split(example) if not re.fullmatch(r"[A-Z_]+=\S+", word)]
        assert " ".join(words).startswith(path)
        assert {word for word in words if word.startswith("--")} <= options_of(COMMANDS[path])


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_says_what_it_does_and_what_each_option_means(path: str) -> None:
    command = COMMANDS[path]
    assert re.fullmatch(r"[A-Z].{20,}[.:?].*", command.help.splitlines()[0])
    for parameter in command.params:
        assert parameter.help, f"{path}: {parameter.name}"


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_can_answer_in_json(path: str) -> None:
    assert "--json" in options_of(COMMANDS[path])


@pytest.mark.parametrize("arguments", [[], ["review"], ["why"]])
def test_a_group_named_alone_shows_its_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "Commands" in capsys.readouterr().out


def test_a_misspelt_command_names_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ingst"]) == 2
    assert "No such command 'ingst'. Did you mean 'ingest'" in capsys.readouterr().err
