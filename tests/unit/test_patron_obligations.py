"""The feed of loans and balances: what is read, and that a bad row is told by line and column, never by content."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.errors import UsageError
from tasks.privacy.obligations import COLUMNS, Taken, read_debts

HEAD = ";".join(COLUMNS)


def test_rows_are_read_whatever_the_order_of_columns_and_the_separator() -> None:
    taken = Taken()
    lines = ["\ufeffBalance,primary_id,staff_roles,loans,requests,on_hold_shelf\n", "-3.50, F200 ,1,2,3,4\n", "\n"]
    (debt,) = read_debts(lines, taken, "owed.csv")
    assert debt == (2, "f200", 2, Decimal("-3.50"), 3, 4, 1)
    assert repr(debt) == "Debt(line 2)"
    assert (taken.rows, taken.bad) == (1, [])


def test_a_bad_row_is_told_and_its_neighbours_are_read() -> None:
    taken = Taken()
    rows = ["F1;1;0;0;0;0", ";1;0;0;0;0", "F2;-1;0;0;0;0", "F3;0;much;0;0;0", "F4;0;NaN;0;0;0", "F5;0;0,10;0;0;0"]
    found = list(read_debts([f"{each}\n" for each in (HEAD, *rows)], taken, "owed.csv"))
    assert [each.key for each in found] == ["f1", "f5"]
    assert [(each.line, each.column) for each in taken.bad] == [
        (3, "primary_id"), (4, "loans"), (5, "balance"), (6, "balance"),
    ]  # fmt: skip
    assert not any("F" in each.cause for each in taken.bad)


@pytest.mark.parametrize(
    ("lines", "cause"), [(["primary_id;loans\n"], "lacks balance"), ([f"{HEAD}\n"], "no row"), ([], "lacks")]
)
def test_half_a_feed_is_an_error_and_never_looks_as_if_nobody_owed_anything(lines: list[str], cause: str) -> None:
    with pytest.raises(UsageError, match=cause) as found:
        list(read_debts(lines, Taken(), "owed.csv"))
    assert found.value.file == "owed.csv"
