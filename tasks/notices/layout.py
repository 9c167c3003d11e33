"""From a template and the words of a language to the text and the HTML of an e-mail.

Whatever comes from a delivery is hostile here: every value is cleaned of control characters and, in HTML, escaped;
phrases are escaped like any other text. Templates live in templates/, one pair (`.txt.j2`, `.html.j2`) a kind.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from tasks.notices.message import printable
from tasks.notices.wording import Phrases

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def render_html(template: str, phrases: Phrases, /, **values: object) -> str:
    """`templates/<template>.html.j2` with `values`; a whole page in the language of `phrases`."""
    return _environment().get_template(f"{template}.html.j2").render(t=phrases, **values)


def render_text(template: str, phrases: Phrases, /, **values: object) -> str:
    """`templates/<template>.txt.j2` with `values`; never more than one empty line, one line end at the end."""
    text = _environment().get_template(f"{template}.txt.j2").render(t=phrases, **values)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text)).strip() + "\n"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # most runs write nothing, and start sooner

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.filters["breakable"] = _breakable
    return environment


def _breakable(text: str) -> Markup:
    """For HTML: a text with file names, which may end a line after `_`, so that a long one does not widen a table."""
    return Markup(escape(printable(text)).replace("_", Markup("_<wbr>")))


def _shown(value: object) -> object:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
