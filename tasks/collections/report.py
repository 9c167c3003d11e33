"""What was found in a collection, for people: figures, charts, a page of its own and the artifact of the run."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from schemas.warehouse.collections import ENDINGS, raw_collection_row
from tasks.collections.sorting import rows_by

TEMPLATES = Path(__file__).parent / "templates"
WORDS = {
    "matched": "the union catalogue has it",
    "review": "a cataloguer has to look",
    "not_found": "not in the union catalogue",
    "bad_isbn": "its ISBN is wrong",
    "unreadable": "cannot be used",
}
COLOURS = {
    "matched": "#2e7d32",
    "review": "#9a6200",
    "not_found": "#5f7380",
    "bad_isbn": "#b3261e",
    "unreadable": "#5e35b1",
}
"""A contrast of 3:1 and more on white; the words and figures stand beside them."""
MOST_RULES, MOST_LIBRARIES, MOST_DECADES = 12, 12, 12
LEGEND_COLUMNS, LEGEND_ROW = 3, 20
"""Of the charts by year and by library: words beside each other, and the height of a row of them in pixels."""
_RULES = {
    "no_number": "no ISBN to look for",
    "no_candidate": "no bib has its number",
    "no_candidate_fits": "a bib has its number, and is another book",
    "isbn_wrong": "wrong ISBN",
    "unreadable": "the row cannot be read",
    "bib_unfit": "it says too little, or was deleted",
}


@dataclass(frozen=True)
class Found:
    """The figures of a collection. Says nothing about any person."""

    endings: dict[str, int]
    rules: list[tuple[str, str, int]] = field(default_factory=list)
    """(ending, rule in words, rows), the most frequent first"""
    decades: dict[int, Counter[str]] = field(default_factory=dict)
    libraries: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows in."""
        return sum(self.endings.values())

    def share(self, ending: str) -> str:
        """Of the rows, as people read it; something is never 0% and not all never 100%."""
        number = self.endings[ending]
        if not number or number == self.rows:
            return "100%" if number else "0%"
        return f"{min(max(100 * number / self.rows, 0.1), 99.9):.1f}%"


@dataclass(frozen=True)
class Page:
    """What stands around the figures: whose stock it is, which file, and what comes next."""

    catalogue_name: str
    libraries: tuple[str, ...]
    file: str
    delivery_id: int
    made_at: datetime
    files: Mapping[str, str]
    next_steps: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    is_preview: bool = False


def figures(connection: Connection, delivery_id: int) -> Found:
    """The figures of a sorted collection, counted by the warehouse."""
    row = raw_collection_row.c
    endings = dict.fromkeys(ENDINGS, 0)
    rules: list[tuple[str, str, int]] = []
    for (ending, rule), count in rows_by(connection, delivery_id, row.ending, row.rule).items():
        endings[ending] += count
        rules.append((ending, in_words(rule), count))
    decades: dict[int, Counter[str]] = {}
    for (year, ending), count in rows_by(connection, delivery_id, row.year, row.ending).items():
        if year is not None:
            decades.setdefault(year // 10 * 10, Counter())[ending] += count
    libraries: dict[str, Counter[str]] = {}
    for (called, ending), count in rows_by(connection, delivery_id, row.libraries, row.ending).items():
        for sigel in called.split(", ") if called else []:
            libraries.setdefault(sigel, Counter())[ending] += count
    ordered = sorted(libraries.items(), key=lambda each: (-each[1].total(), each[0]))
    return Found(
        endings,
        sorted(rules, key=lambda each: (-each[2], each[:2])),
        dict(sorted(decades.items())[-MOST_DECADES:]),
        dict(ordered[:MOST_LIBRARIES]),
    )


def in_words(rule: str) -> str:
    """The id of a rule, as words."""
    return _RULES.get(rule, rule.replace("_", " ").replace(":", ": "))


def as_html(found: Found, page: Page) -> str:
    """The page. It stands alone: no script, no style or picture from elsewhere."""
    import jinja2  # a third of a second to import, for this page alone

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("collection.html").render(
        page=page,
        made=f"{page.made_at:%Y-%m-%d %H:%M} UTC",
        rows=f"{found.rows:,}",
        endings=[
            {
                "name": each.replace("_", " "),
                "words": WORDS[each],
                "number": f"{found.endings[each]:,}",
                "share": found.share(each),
                "file": page.files.get(each, "").rsplit("/", 1)[-1],
            }
            for each in ENDINGS
        ],
        rules=[(ending.replace("_", " "), rule, f"{number:,}") for ending, rule, number in found.rules],
        names=[each.replace("_", " ") for each in ENDINGS],
        libraries=[(sigel, _cells(counts)) for sigel, counts in found.libraries.items()],
        decades=[(f"{decade}s", _cells(counts)) for decade, counts in found.decades.items()],
        charts=_charts(found),
    )


def _cells(counts: Counter[str]) -> list[str]:
    return [f"{counts[each]:,}" for each in ENDINGS]


def as_markdown(found: Found, page: Page) -> str:
    """The artifact: what was found, why, where the files are, and what comes next. No row of the file."""
    shown = "would be found (dry run)" if page.is_preview else "was found"
    lines = [f"# What {shown} of the stock of {', '.join(page.libraries)}", "", f"{found.rows:,} rows.", ""]
    lines += [
        f"![{_in_place(found)}]({_charts(found)['endings']})",
        "",
        "| | rows | share | file |",
        "|---|--:|--:|---|",
    ]
    lines += [
        f"| {WORDS[each]} | {found.endings[each]:,} | {found.share(each)} | {_code(page.files.get(each, ''))} |"
        for each in ENDINGS
    ]
    lines += ["", "| ending | why | rows |", "|---|---|--:|"]
    lines += [f"| {ending} | {rule} | {number:,} |" for ending, rule, number in found.rules[:MOST_RULES]]
    lines += ["", *(f"* {each}" for each in (*page.remarks, *page.next_steps))]
    return "\n".join(lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _in_place(found: Found) -> str:
    return "; ".join(f"{WORDS[each]}: {found.endings[each]:,}" for each in ENDINGS)


def _charts(found: Found) -> dict[str, str]:
    endings = [(each.replace("_", " "), found.endings[each], COLOURS[each]) for each in ENDINGS]
    charts = {"endings": _bars(*zip(*endings, strict=True))}
    why = [each for each in found.rules if each[0] != "matched"][:MOST_RULES]
    charts["rules"] = _bars(
        [rule for _, rule, _ in why], [number for *_, number in why], [COLOURS[ending] for ending, *_ in why]
    )
    charts["decades"] = _stacked([f"{each}s" for each in found.decades], list(found.decades.values()))
    charts["libraries"] = _stacked(list(found.libraries), list(found.libraries.values()))
    return charts


def _bars(labels: Sequence[str], numbers: Sequence[int], colours: Sequence[str]) -> str:
    import pygal  # slow to import

    chart = pygal.HorizontalBar(
        **_settings([COLOURS["not_found"]], 90 + 30 * max(len(labels), 2)), show_legend=False, print_values=True
    )
    chart.x_labels = list(reversed(labels))
    chart.y_labels = _steps(max(numbers, default=0))
    coloured = [{"value": number, "color": colour} for number, colour in zip(numbers, colours, strict=True)]
    chart.add("rows", list(reversed(coloured)))
    return _as_uri(chart)


def _stacked(labels: Sequence[str], counts: Sequence[Counter[str]]) -> str:
    import pygal  # slow to import

    used = [each for each in ENDINGS if any(count[each] for count in counts)]
    # pygal keeps room for the full rows of a legend only: what is left over fell out of the picture.
    left_over = LEGEND_ROW * (-(-len(used) // LEGEND_COLUMNS) - len(used) // LEGEND_COLUMNS)
    settings = _settings([COLOURS[each] for each in used], 110 + 30 * max(len(labels), 2) + left_over)
    chart = pygal.HorizontalStackedBar(
        **settings, legend_at_bottom_columns=LEGEND_COLUMNS, margin_bottom=settings["margin"] + left_over
    )
    chart.x_labels = list(reversed(labels))
    if used:
        chart.y_labels = _steps(max(count.total() for count in counts))
    for each in used:
        chart.add(each.replace("_", " "), [count[each] or None for count in reversed(counts)])
    return _as_uri(chart)


def _settings(colours: Sequence[str], height: int) -> dict[str, Any]:
    from pygal.style import Style  # slow to import

    style = Style(
        colors=tuple(colours), background="white", plot_background="white", foreground="#333f48",
        foreground_strong="#1d2733", foreground_subtle="#5f6b76", guide_stroke_color="#d9e0e7",
        major_guide_stroke_color="#d9e0e7", guide_stroke_dasharray="1,0", major_guide_stroke_dasharray="1,0",
        opacity="1", label_font_size=14,
        major_label_font_size=14, legend_font_size=13, value_font_size=13,
        font_family="system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    )  # fmt: skip
    return {
        "width": 560, "height": height, "margin": 6, "margin_left": 18, "margin_right": 40, "truncate_legend": -1,
        "truncate_label": -1, "legend_at_bottom": True, "no_data_text": "nothing", "disable_xml_declaration": True,
        "js": [], "style": style, "value_formatter": lambda value: f"{value:,.0f}",
    }  # fmt: skip


def _steps(most: int) -> list[int]:
    """Round numbers for an axis from 0 to at least `most`, about five of them."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            if step * 5 >= most:
                return list(range(0, max(most, 1) + step, step))
        power *= 10


def _as_uri(chart: Any) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(chart.render(is_unicode=True).encode()).decode()
