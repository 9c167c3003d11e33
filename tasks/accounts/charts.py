"""What expires in the next twelve months, drawn: a chart a library, as data URIs. Counts only, no person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pygal

from tasks.quality.overview_charts import as_uri, chart_settings, whole

COLOUR = "#9a6200"
HEIGHT = 170


def by_month(months: Sequence[date], numbers: Sequence[int]) -> str:
    """A bar a month."""
    chart = pygal.Bar(
        **{**chart_settings([COLOUR], HEIGHT), "spacing": 2, "show_minor_x_labels": True, "truncate_label": -1},
        show_legend=False,
        value_formatter=whole,
        min_scale=1,
        max_scale=4,
        range=(0, max(4, *numbers)),
    )
    chart.x_labels = [f"{each:%m/%y}" if each.month == 1 or at == 0 else f"{each:%m}" for at, each in enumerate(months)]
    chart.add("accounts", [each or None for each in numbers])
    return as_uri(chart)
