"""What commands print: exactly one JSON document, or text that no title can spoil."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from rich.console import Console

from deployments.cli.output import Output, json_text, plain, print_table, prose
from schemas.marc import HoldingLine
from schemas.outcomes import DeliveryState
from tasks.warehouse.overview import Waiting


def test_everything_that_commands_hold_becomes_plain_json() -> None:
    line = HoldingLine("852", "Hce", "", "", "[]")
    document = {
        "at": datetime(2026, 3, 1, 2, tzinfo=UTC),
        "on": date(2026, 3, 1),
        "state": DeliveryState.HELD,
        "lines": (line,),
        "waiting": Waiting(2, None),
        "path": Path("a/b"),
        "some": {"x"},
    }
    assert json.loads(json_text(document)) == {
        "at": "2026-03-01T02:00:00+00:00",
        "on": "2026-03-01",
        "state": "held",
        "lines": [
            {"tag": "852", "shelf_mark": "Hce", "public_note": "", "internal_note": "", "content": "[]", "owner": ""}
        ],
        "waiting": {"number": 2, "since": None, "late": 0},
        "path": "a/b",
        "some": ["x"],
    }


def test_letters_that_the_terminal_may_not_know_are_escaped() -> None:
    assert json_text(["Å≠"], "iso8859-1") == '[\n  "\\u00c5\\u2260"\n]'
    assert json_text(["Å≠"], "UTF-8") == '[\n  "Å≠"\n]'


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="a object cannot be written as JSON"):
        plain(object())


def test_json_is_one_document_on_stdout_and_notes_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.note("Starting ...")
    output.show({"title": "Åäø"}, lambda console: prose(console, "for people"))
    told = capsys.readouterr()
    assert json.loads(told.out) == {"title": "Åäø"}
    assert told.err == "Starting ...\n"


def test_brackets_colons_and_emoji_names_in_titles_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    def render(console: Console) -> None:
        print_table(console, "Titles [bold]", ("title",), [("[red]Kaos[/red] :smile: [/]",)])

    Output(as_json=False).show({}, render)
    shown = capsys.readouterr().out
    assert "[red]Kaos[/red] :smile: [/]" in shown
    assert "Titles [bold]" in shown


def test_a_column_without_a_value_is_left_out_and_numbers_stand_right(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(7, None, "a", ""), (1200, None, None, "")]
    Output(as_json=False).show(
        {}, lambda console: print_table(console, "T", ("number", "late", "what", "remark"), rows)
    )
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert " number   what" in lines
    assert "      7   a" in lines
    assert "   1200" in lines


def test_a_path_is_never_broken_over_lines(capsys: pytest.CaptureFixture[str]) -> None:
    path = "/srv/" + "x" * 300
    Output(as_json=False).show({}, lambda console: prose(console, f"E-mails: {path}"))
    assert path in capsys.readouterr().out
