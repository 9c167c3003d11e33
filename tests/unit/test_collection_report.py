"""The report of a joining library's stock: what its charts show can be read."""

from __future__ import annotations

import base64
import re
from collections import Counter

import pytest

from schemas.warehouse.collections import ENDINGS
from tasks.collections.report import _stacked


@pytest.mark.parametrize("number", range(1, len(ENDINGS) + 1))
def test_every_colour_of_a_chart_has_its_word_inside_the_picture(number: int) -> None:
    chart = _stacked(["2000s"], [Counter(dict.fromkeys(ENDINGS[:number], 1))])
    svg = base64.b64decode(chart.partition(",")[2]).decode()
    height = re.search(r'viewBox="0 0 \d+ (\d+)"', svg)
    legend = svg[svg.rindex("<g", 0, svg.rindex('class="legends"')) :]
    top = re.search(r"translate\([\d.]+, ([\d.]+)\)", legend)
    assert height is not None
    assert top is not None
    boxes = [float(y) for y in re.findall(r'<rect x="[\d.]+" y="([\d.]+)" width="12"', legend)]
    assert len(boxes) == number
    assert float(top[1]) + max(boxes) + 12 < float(height[1])
