"""Reading a library's application: TOML as `schemas.applications`; errors name file, key, value and remedy."""

from __future__ import annotations

from pathlib import Path

from config.toml_parts import parsed_text, part_of
from schemas.applications import Application

PAGE = "docs/library-onboarding.md"


def read_application(text: str, name: str) -> Application:
    """The application in a text; `name` is the file that an error names. Raises `ConfigurationError`."""
    file = Path(name)
    return part_of(file, parsed_text(text, file), Application, page=PAGE)
