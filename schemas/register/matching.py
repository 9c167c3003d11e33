"""`matching.toml`: weights and thresholds of the evidence, so that a change can be tried before it is switched on."""

from __future__ import annotations

from pydantic import Field

from schemas.register.base import RegisterModel


class MatchingWeights(RegisterModel):
    """Points for and against. A missing value is neutral: it scores 0, never less. Source: the Finnish table."""

    isbn_shared: float = 0.75
    isbn_unshared_factor: float = Field(0.8, description="Multiplied once for each ISBN that only one side has")
    isbn_weak: float = Field(0.5, description="z-z, or the same invalid number: never decides")
    isbn_none_shared: float = -0.75
    title_equal: float = 0.5
    title_close: float = 0.4
    title_part: float = Field(0.25, description="Equal but for a missing $b or $p")
    title_differs: float = -0.5
    record_type: float = 0.1
    bib_level: float = 0.1
    bib_level_differs: float = -0.2
    year: float = 0.1
    year_off_by_one: float = -0.125
    year_differs: float = -0.35
    year_differs_temporary: float = Field(-0.1, description="When either side is level 5 or 8")
    carrier: float = 0.1
    authors: float = 0.3
    publisher: float = 0.05
    pages: float = 0.05
    pages_differ: float = -0.15


class MatchingPolicy(RegisterModel):
    """When candidates match, need review, or do not."""

    weights: MatchingWeights = MatchingWeights()
    match_at: float = Field(0.9, description="Sum at which a shared valid $a matches")
    strong_feature: float = Field(0.4, description="A match needs at least one second feature of this weight")
    review_at: float = Field(0.5, description="Sum from which weaker evidence goes to review")
    title_close_ratio: float = Field(0.9, ge=0, le=1, description="Levenshtein ratio that counts as close")
    clear_lead: float = Field(0.15, ge=0, description="Points by which the best of several must lead, else review")
    max_candidates: int = Field(50, ge=1, description="More candidates than this on one number: review")
    stop_isbns: tuple[str, ...] = Field((), description="Further dummy numbers (13 digits), beside the built-in list")
    review_deadline_days: int = Field(2, ge=0, description="After this a bib in review is loaded as provisional")
    review_owner: str = Field(
        "cataloguing@samkatalogen.example", pattern=r"^[^@\s]+@[^@\s]+$", description="Who gets the worklist"
    )
    review_language: str = Field("en", pattern=r"^[a-z]{2}$", description="Language of the worklist e-mail")
