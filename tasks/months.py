"""Months of the calendar: days so many months on, and whole months between two days."""

from __future__ import annotations

import calendar
from datetime import date


def add_months(day: date, months: int) -> date:
    """The same day of the month so many months on, clipped to that month's last: 31 January + 1 is 28 February."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def months_between(first: date, last: date) -> int:
    """Whole months from `first` to `last`; 0 where `last` is not later."""
    months = (last.year - first.year) * 12 + last.month - first.month
    return max(0, months if add_months(first, months) <= last else months - 1)
