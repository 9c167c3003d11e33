"""The charts of the nightly overview: small SVG pictures that need no other file.

Each has its words beside it on the page (a text in place of the picture, and the figures in a table), so nothing is
told by colour alone. Colours keep a contrast of 3:1 and more on white. Letters are large for their size, because on a
phone the picture shrinks.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import pygal
from pygal.style import Style

from tasks.quality.overview_figures import NightFigures, RejectLine, SenderNight

OUTCOMES = {
    "created": "#2e7d32",
    "replaced": "#1565c0",
    "kept": "#5f7380",
    "review": "#9a6200",
    "rejected": "#b3261e",
}
"""Bib outcomes with their colours, in the order in which they are drawn."""
WIDTH = 520
MOST_BARS = 10
DATES_SHOWN = 5
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def _style(colours: Sequence[str]) -> Style:
    return Style(
        colors=tuple(colours),
        background="white",
        plot_background="white",
        foreground="#333f48",
        foreground_strong="#1d2733",
        foreground_subtle="#5f6b76",
        guide_stroke_color="#d9e0e7",
        major_guide_stroke_color="#d9e0e7",
        guide_stroke_dasharray="1,0",
        major_guide_stroke_dasharray="1,0",
        opacity="1",
        stroke_width="2.5",
        font_family=FONT,
        label_font_size=14,
        major_label_font_size=14,
        legend_font_size=13,
        value_font_size=14,
        no_data_font_size=18,
    )


def chart_settings(colours: Sequence[str], height: int) -> dict[str, Any]:
    """How every chart looks; the others of the program are drawn with it, too."""
    return {
        "width": WIDTH,
        "height": height,
        "margin": 6,
        "margin_left": 18,
        "margin_right": 30,
        "truncate_legend": -1,
        "spacing": 8,
        "legend_at_bottom": True,
        "legend_box_size": 12,
        "show_minor_x_labels": False,
        "no_data_text": "nothing",
        "disable_xml_declaration": True,
        "js": [],
        "style": _style(colours),
    }


def as_uri(chart: Any) -> str:
    """A chart as a data URI, for a page or an artifact."""
    return "data:image/svg+xml;base64," + base64.b64encode(chart.render(is_unicode=True).encode()).decode()


def whole(value: float) -> str:
    """A count; nothing between counts."""
    return f"{value:,.0f}" if value == int(value) else ""


def by_supplier(senders: Sequence[SenderNight]) -> str:
    """What became of each supplier's bibs: a bar a supplier, an outcome a colour. Returns a data URI, as all here."""
    shown = [each for each in senders if each.counts["bibs_read"]][:MOST_BARS]
    used = [name for name in OUTCOMES if any(each.counts[f"bibs_{name}"] for each in shown)]
    chart = pygal.HorizontalStackedBar(
        **chart_settings([OUTCOMES[name] for name in used], 90 + 34 * max(len(shown), 2)),
        legend_at_bottom_columns=len(used) or None,
        truncate_label=-1,
        value_formatter=whole,
    )
    # The first stands at the foot of the chart; people read from the top.
    chart.x_labels = [each.sender for each in reversed(shown)]
    for name in used:
        chart.add(name, [each.counts[f"bibs_{name}"] or None for each in reversed(shown)])
    return as_uri(chart)


def match_rate(series: Sequence[NightFigures]) -> str:
    """Matched bibs and bibs in review as shares of a night's bibs, over the nights; a gap where none came."""
    chart = pygal.Line(
        **chart_settings([OUTCOMES["replaced"], OUTCOMES["review"]], 280),
        legend_at_bottom_columns=2,
        range=(0, 100),
        y_labels=[0, 25, 50, 75, 100],
        value_formatter=lambda value: f"{value:.0f}%",
        dots_size=3,
        truncate_label=-1,
    )
    _dates(chart, series)
    chart.add("matched", [_percent(each.match_share) for each in series])
    chart.add("in review", [_percent(each.review_share) for each in series], stroke_style={"dasharray": "6, 5"})
    return as_uri(chart)


def review_backlog(series: Sequence[NightFigures]) -> str:
    """How many reviews were open at the end of each night."""
    chart = pygal.Bar(
        **chart_settings([OUTCOMES["review"]], 260),
        show_legend=False,
        value_formatter=whole,
        truncate_label=-1,
        y_labels=_steps(max((each.backlog for each in series), default=0)),
    )
    _dates(chart, series)
    chart.add("open reviews", [each.backlog for each in series])
    return as_uri(chart)


def rejects(lines: Sequence[RejectLine]) -> str:
    """Records that were not accepted, a bar a reason, the most frequent on top."""
    by_rule: dict[str, int] = {}
    for each in lines:
        by_rule[each.rule] = by_rule.get(each.rule, 0) + each.number
    shown = sorted(by_rule.items(), key=lambda item: (-item[1], item[0]))[:MOST_BARS]
    chart = pygal.HorizontalBar(
        **chart_settings([OUTCOMES["kept"]], 70 + 30 * max(len(shown), 2)),
        show_legend=False,
        value_formatter=whole,
        print_values=True,
        print_values_position="top",
        truncate_label=-1,
        show_x_guides=False,
    )
    chart.x_labels = [in_words(rule) for rule, _ in reversed(shown)]
    chart.add("records", [number for _, number in reversed(shown)])
    return as_uri(chart)


def in_words(rule: str) -> str:
    """The id of a rule, as words."""
    return rule.replace("_", " ")


def _percent(share: float | None) -> float | None:
    return None if share is None else round(share * 100, 1)


def _dates(chart: Any, series: Sequence[NightFigures]) -> None:
    days = [_day(each.on) for each in series]
    every = max(1, -(-len(days) // DATES_SHOWN))
    chart.x_labels = days
    # Counted from the last night, which is the one that people look for.
    chart.x_labels_major = [day for place, day in enumerate(reversed(days)) if place % every == 0]


def _day(on: date) -> str:
    return f"{on.day} {on:%b}"


def _steps(most: int) -> list[int]:
    """Round numbers for an axis from 0 to at least `most`, about five of them."""
    step = next(each for each in _round_steps() if each * 5 >= most)
    return list(range(0, max(most, 1) + step, step))


def _round_steps() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50, ..."""
    for power in itertools.count():
        yield from (10**power, 2 * 10**power, 5 * 10**power)
