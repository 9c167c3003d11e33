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
    title_near: float = Field(0.0, description="Alike, but a whole word differs: a person must look")
    title_differs: float = -0.5
    isbn_related: float = Field(-0.5, description="One side's own ISBN stands in the other's 776 or 787")
    issn_shared: float = Field(0.75, description="The same ISSN in 022 $a of two serials")
    number_shared: float = Field(0.75, description="Our control number, or the same 035")
    ean_shared: float = Field(0.75, description="The same EAN (024 first indicator 3)")
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
    edition: float = Field(0.05, description="Both state the same edition number")
    language: float = Field(0.0, description="Same language of the text: says little, most of a file shares it")


class MatchingPolicy(RegisterModel):
    """When candidates match, need review, or do not."""

    weights: MatchingWeights = MatchingWeights()
    match_at: float = Field(0.9, description="Sum at which a shared valid $a matches")
    strong_feature: float = Field(0.4, description="A match needs at least one second feature of this weight")
    review_at: float = Field(0.5, description="Sum from which weaker evidence goes to review")
    title_part_with_authors: bool = Field(
        True, description="An equal title proper with a missing $b and a common author add up to the second feature"
    )
    title_part_with_issn: bool = Field(True, description="An equal title proper with a missing $b confirms an ISSN")
    title_prefix_length: int = Field(30, ge=1, description="Letters from which a title cut off in a word still counts")
    title_word_length: int = Field(5, ge=1, description="Shortest word in which one letter may differ in a close title")
    title_close_ratio: float = Field(0.9, ge=0, le=1, description="Levenshtein ratio that counts as close")
    clear_lead: float = Field(0.15, ge=0, description="Points by which the best of several must lead, else review")
    name_close_ratio: float = Field(0.8, ge=0, le=1, description="Ratio at which two spellings of a name are one name")
    name_close_length: int = Field(4, ge=1, description="Letters from which two spellings can be one name")
    year_apart: int = Field(1, ge=0, description="Years further apart than this need equal pages, else review")
    temporary_year_apart: int = Field(3, ge=0, description="The same where one side is preliminary: review beyond it")
    pages_apart: float = Field(0.1, ge=0, le=1, description="Page counts further apart, in another year: review")
    pages_slack: int = Field(2, ge=0, description="Pages by which counts may always differ; a reprint by no more")
    pages_tolerance: float = Field(0.02, ge=0, le=1, description="Share by which page counts may differ")
    temporary_levels: str = Field("58", description="leader/17 codes whose year is weak evidence")
    serial_levels: str = Field("s", description="leader/07 codes that an ISSN can match")
    ean_types: str = Field("gij", description="leader/06 codes that an EAN can match where neither side has an ISBN")
    max_candidates: int = Field(50, ge=1, description="More candidates than this on one number: review")
    stop_isbns: tuple[str, ...] = Field((), description="Further dummy numbers (13 digits), beside the built-in list")
    review_deadline_days: int = Field(2, ge=0, description="After this a bib in review is loaded as provisional")
    review_owner: str = Field(
        "cataloguing@samkatalogen.example", pattern=r"^[^@\s]+@[^@\s]+$", description="Who gets the worklist"
    )
    duplicates_in_worklist: int = Field(
        25,
        ge=0,
        description="Pairs of bibs that look like one which the worklist offers at a time, the most alike first",
    )
    review_language: str = Field("en", pattern=r"^[a-z]{2}$", description="Language of the worklist e-mail")
