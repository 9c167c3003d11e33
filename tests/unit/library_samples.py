"""Applications of fictional libraries, as they send them."""

from __future__ import annotations

from config.applications import read_application
from schemas.applications import Application

PUBLIC = """sigel = "NYLU"
name = "Nylunda bibliotek"
kind = "public"
participation = "registering"
municipality = "Nylunda"
language = "sv"
suppliers = ["NORDBOK"]

[contact]
email = "medier@nylunda.example"
answered_on = 2025-03-04

[agreement]
signed_on = 2025-03-10
starts_on = 2025-04-01

[audience]
open_to_public = true

[cataloguing]
is_competent = true
course = "KAT-1"
trained_on = 2025-01-20

[holdings]
keeps_current = true
"""
SCHOOL = """sigel = "NYLS"
name = "Nylundaskolans bibliotek"
kind = "school"
participation = "limited"
municipality = "Solberg"
language = "da"

[contact]
email = "biblioteket@nylundaskolan.example"
answered_on = 2025-03-04

[agreement]
signed_on = 2025-03-10
starts_on = 2025-03-14

[staffing]
hours_a_week = 25

[municipality_library]
sigel = "SOLB"
agreed_on = 2025-02-27
"""
HOSPITAL = """sigel = "NYSJ"
name = "Sjukhusbiblioteket i Nylunda"
kind = "special"
participation = "limited"

[contact]
email = "biblioteket@nysjukhus.example"
answered_on = 2025-03-04

[agreement]
signed_on = 2025-03-10
starts_on = 2025-03-14

[audience]
is_closed = true
publicly_funded = true
"""


def changed(text: str, *changes: tuple[str, str]) -> str:
    """The text with each of these replaced; what is not there is a mistake of the test."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def application(text: str = PUBLIC, *changes: tuple[str, str]) -> Application:
    """An application, read."""
    return read_application(changed(text, *changes), "application.toml")
