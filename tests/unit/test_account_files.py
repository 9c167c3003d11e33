"""CSV files about accounts are read row by row: what cannot be read names its line, column, cause and remedy."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import UsageError
from tasks.accounts.columns import COLUMNS
from tasks.accounts.csv_files import AccountFile, Reject, Row
from tasks.accounts.facts import Role

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "accounts.md").read_text("utf-8")


def _read(text: str | bytes, kind: str | None = None) -> tuple[AccountFile, list[Row | Reject]]:
    file = AccountFile(io.BytesIO(text.encode() if isinstance(text, str) else text), "file.csv", kind)
    return file, list(file.rows())


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("login,library,name,email,tasks", "accounts"), ("login;leaver_on", "leavers"),
        ("login\tcourse\ttrained_on", "training"), ("Login, decision, until", "renewals"),
        ("login,rotated_on", "rotations"), ("login,mission_end,pinned_end", "changes"),
        ("reader,registrar,library,made_on", "readers"), ("login,list,title_number,title", "lists"),
        ("login,title_number,isbn,purpose,day", "downloads"),
        ("account_id,login,library,name,expires_on,decision,until".replace("library,name,", ""), "renewals"),
    ],
)  # fmt: skip
def test_the_columns_say_what_a_file_is_about(header: str, kind: str) -> None:
    assert _read(header)[0].kind == kind


def test_rows_become_values_whatever_the_separator_and_the_mark_before_them() -> None:
    _, (row,) = _read("\ufefflogin;library;roles;mission_end\r\neva;SOLB;fulfilment | users@LUNV;2026-02-28\r\n\r\n")
    assert row == Row(
        2,
        {"login": "eva", "library": "SOLB", "mission_end_on": date(2026, 2, 28),
         "roles": (Role("fulfilment"), Role("users", "LUNV"))},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "field", "cause"),
    [
        ("eva,2026-02-30", "leaver_on", "'2026-02-30' is a day that does not exist"),
        ("eva,30.02.2026", "leaver_on", "'30.02.2026' is no day as YYYY-MM-DD"),
        ("eva,0026-02-03", "leaver_on", "'0026-02-03' is a day of another age"),
        ("eva,", "leaver_on", "is empty"),
        (",2026-02-03", "login", "is empty"),
        ("eva", "", "has 1 cells, the header 2"),
    ],
)
def test_one_bad_row_is_left_behind_and_its_neighbours_go_on(row: str, field: str, cause: str) -> None:
    _, rows = _read(f"login,leaver_on\nbo,2026-02-01\n{row}\nliv,2026-02-28\n")
    assert [type(each) for each in rows] == [Row, Reject, Row]
    reject = rows[1]
    assert isinstance(reject, Reject)
    assert (reject.line, reject.field, reject.cause) == (3, field, cause)
    assert reject.remedy


def test_a_row_in_another_character_set_is_left_behind() -> None:
    _, rows = _read("login,library,name\neva,SOLB,Åsa\n".encode() + "bo,SOLB,Åsa\n".encode("latin-1"))
    assert [each.cause for each in rows if isinstance(each, Reject)] == ["is not UTF-8"]


@pytest.mark.parametrize(
    ("cell", "column"),
    [("eva@", "email"), ("boss", "employment"), ("9lives", "roles"), ("x\x07", "name")],
)
def test_cells_that_mean_nothing_are_told(cell: str, column: str) -> None:
    _, (reject,) = _read(f"login,library,{column}\neva,SOLB,{cell}\n")
    assert isinstance(reject, Reject)
    assert reject.field == column


def test_a_dash_clears_in_changes_and_an_empty_cell_keeps() -> None:
    _, (row,) = _read("login,contact,tasks,pinned_end\neva,,-,-\n")
    assert row == Row(2, {"login": "eva", "tasks": None, "pinned_end": None})


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", None, "is empty"), ("login,shoe_size\n", None, "fit no kind"),
        ("login\n", "leavers", "lacks the column leaver_on"), ("login,leaver_on,hat\n", "leavers", "'hat'"),
        ("login\n", "nonsense", "no kind 'nonsense'"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_as_a_whole(text: str, kind: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        _read(text, kind)


def test_every_column_is_on_the_page_with_its_meaning() -> None:
    for kind, columns in COLUMNS.items():
        section = PAGE.split(f"\n### {kind}\n", 1)[1].split("\n#", 1)[0]
        rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
        assert rows == [
            [f"`{name}`", each.meaning, "yes" if each.needed else "no"] for name, each in columns.items()
        ], kind
