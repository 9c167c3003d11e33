"""docs/flows.md tells of every flow: its parameters, time limit, stages and retries, as the code has them.

Flows and stages are read as source, so that these tests need no Prefect.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "flows.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")


@dataclass(frozen=True)
class Stage:
    """A Prefect task: its name in the UI, and how often it is tried again."""

    title: str
    retries: int


@dataclass(frozen=True)
class FlowSource:
    """A flow as its source says: `stages` in the order in which they are called, each once."""

    name: str
    run_name: str
    timeout_seconds: int
    parameters: dict[str, str]
    stages: tuple[Stage, ...]


def trees(pattern: str) -> Iterator[ast.Module]:
    """The source files that a pattern below the project's root names."""
    for path in sorted(ROOT.glob(pattern)):
        yield ast.parse(path.read_text("utf-8"))


def decorated(tree: ast.Module, decorator: str) -> Iterator[tuple[ast.FunctionDef, dict[str, ast.expr]]]:
    """Functions under `@decorator(...)`, with its keyword arguments."""
    for node in tree.body:
        for each in getattr(node, "decorator_list", []):
            if isinstance(each, ast.Call) and getattr(each.func, "id", "") == decorator:
                assert isinstance(node, ast.FunctionDef)
                yield node, {keyword.arg or "": keyword.value for keyword in each.keywords}


def value_of(expression: ast.expr, names: dict[str, Any]) -> Any:
    """The value of a constant expression such as `4 * 3600`; `names` are constants of its module."""
    return eval(compile(ast.Expression(expression), "source", "eval"), {"__builtins__": {}}, names)


def constants(tree: ast.Module) -> dict[str, Any]:
    """Module constants that are written as plain values."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def all_stages() -> dict[str, Stage]:
    """Every stage by the name of its function."""
    (wrapper,) = trees("tasks/stage.py")
    usual = constants(wrapper)["RETRIES"]
    found = {}
    for tree in trees("tasks/*/stages.py"):
        names = constants(tree)
        for function, keywords in decorated(tree, "stage"):
            title = value_of(keywords["name"], names) if "name" in keywords else function.name.replace("_", " ")
            retries = value_of(keywords["retries"], names) if "retries" in keywords else usual
            found[function.name] = Stage(title, retries)
    return found


def all_flows() -> dict[str, FlowSource]:
    """Every flow by its name."""
    stages = all_stages()
    found = {}
    for tree in trees("flows/*.py"):
        for function, keywords in decorated(tree, "pipeline"):
            given = {name: value_of(each, constants(tree)) for name, each in keywords.items()}
            found[given["name"]] = FlowSource(
                given["name"], given["run_name"], int(given["timeout_seconds"]), parameters_of(function),
                stages_called(function, stages),
            )  # fmt: skip
    return found


def parameters_of(function: ast.FunctionDef) -> dict[str, str]:
    """Parameters with their defaults as source; `needed` where there is none."""
    arguments = function.args.args
    defaults = ["needed"] * (len(arguments) - len(function.args.defaults))
    defaults += [f"`{ast.unparse(each)}`" for each in function.args.defaults]
    return {each.arg: default for each, default in zip(arguments, defaults, strict=True)}


def stages_called(function: ast.FunctionDef, stages: dict[str, Stage]) -> tuple[Stage, ...]:
    """The stages that a flow calls, in source order; one that is called twice stands where it comes last."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    names = [each.func.id for each in sorted(calls, key=lambda each: (each.lineno, each.col_offset))]  # type: ignore[attr-defined]
    last_first = dict.fromkeys(name for name in reversed(names) if name in stages)
    return tuple(stages[name] for name in reversed(last_first))


FLOWS = all_flows()


def section(name: str) -> str:
    """What the page says about a flow."""
    return PAGE.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]


def rows(text: str, first_header: str) -> list[list[str]]:
    """The cells of the table whose first header is this one."""
    table = re.search(rf"^\| {first_header} \|.*\n\|[-|: ]+\n((?:\|.*\n)*)", text, re.MULTILINE)
    return [line.strip("| ").split(" | ") for line in table[1].splitlines()] if table else []


def test_the_flows_are_those_that_are_here() -> None:
    assert len(FLOWS) >= 6
    assert {"supplier-ingest", "catalogue-load"} <= FLOWS.keys()
    assert [each.title for each in FLOWS["supplier-ingest"].stages[:4]] == [
        "receive", "stage records", "check deliveries", "match on isbn",
    ]  # fmt: skip


def test_the_page_has_a_section_for_each_flow_and_for_no_other() -> None:
    sections = re.findall(r"^## ([a-z]+(?:-[a-z]+)*)$", PAGE, re.MULTILINE)
    assert sorted(sections) == sorted(FLOWS)


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_stands_in_the_picture_of_the_readme(name: str) -> None:
    (picture,) = re.findall(r"```mermaid\n(.*?)```", README, re.DOTALL)
    assert re.search(rf"\b{name}\b", picture)


@pytest.mark.parametrize("name", FLOWS)
def test_the_parameters_of_a_flow_are_told_with_their_defaults(name: str) -> None:
    told = {cells[0].strip("`"): cells[-1] for cells in rows(section(name), "parameter")}
    assert told == FLOWS[name].parameters


@pytest.mark.parametrize("name", FLOWS)
def test_the_stages_of_a_flow_are_told_in_order_with_their_retries(name: str) -> None:
    told = [(cells[0].strip("`"), int(cells[-1])) for cells in rows(section(name), "stage")]
    assert told == [(each.title, each.retries) for each in FLOWS[name].stages]


@pytest.mark.parametrize("name", FLOWS)
def test_the_run_name_and_the_time_limit_of_a_flow_are_told(name: str) -> None:
    flow = FLOWS[name]
    hours = flow.timeout_seconds / 3600
    assert f"Run name `{flow.run_name}`, at most {hours:g} h." in section(name)


@pytest.mark.parametrize("name", FLOWS)
def test_a_section_says_how_to_start_the_flow_and_what_it_leaves(name: str) -> None:
    text = section(name)
    assert re.search(r"^\*\*Start\*\*: ", text, re.MULTILINE)
    assert re.search(r"^\*\*Leaves\*\*: ", text, re.MULTILINE)


def test_the_waits_of_a_retried_stage_are_told_and_bridge_three_minutes() -> None:
    (wrapper,) = trees("tasks/stage.py")
    given = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in wrapper.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if node.targets[0].id in ("RETRIES", "DELAYS_SECONDS", "JITTER")
    }
    delays = given["DELAYS_SECONDS"]
    *first, last = delays
    told = " ".join(PAGE.split())
    share = f"{given['JITTER']:.0%}".replace("%", " %")
    assert f"waits {', '.join(map(str, first))} and {last} s, each up to {share} longer or shorter" in told
    assert len(delays) == given["RETRIES"]
    assert sum(delays) * (1 - given["JITTER"]) >= 200
