"""`import_profiles.toml`: how a member's records from another base come in, whatever dialect of MARC they are in.

What belongs here is the form of a profile. What its rules do to a record is in tasks/marc/rewriting.py.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from schemas.register.base import RegisterModel, RegularExpression
from schemas.register.matching import MatchingPolicy, MatchingWeights
from schemas.register.suppliers import EncodingLevel, FileRules, NormalisationRules, QualityLimits

Tag = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{3}$")]
DataTag = Annotated[str, Field(pattern=r"^(0[1-9A-Za-z]|[1-9A-Za-z][0-9A-Za-z])[0-9A-Za-z]$")]
Code = Annotated[str, Field(pattern=r"^[!-~]$")]
Codes = Annotated[str, Field(pattern=r"^[!-~]*$")]
Place = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{3}(\$[!-~])?$")]
"""`001`, or `001$a`: the first such subfield of the record."""


def _is_weight(weights: dict[str, float]) -> dict[str, float]:
    unknown = sorted(set(weights) - set(MatchingWeights.model_fields))
    if unknown:
        raise ValueError(f"unknown weight {', '.join(unknown)}; known are {', '.join(MatchingWeights.model_fields)}")
    return weights


class ImportMatching(RegisterModel):
    """What of matching.toml is different for this import. What is not set is as it stands there."""

    match_at: float | None = Field(None, description="Sum at which a shared valid $a matches")
    strong_feature: float | None = Field(None, description="A match needs a second feature of this weight")
    review_at: float | None = Field(None, description="Sum from which weaker evidence goes to review")
    clear_lead: float | None = Field(None, ge=0, description="Points by which the best of several must lead")
    max_candidates: int | None = Field(None, ge=1, description="More candidates than this on one number: review")
    review_deadline_days: int | None = Field(None, ge=0, description="After this a bib in review becomes provisional")
    review_owner: str | None = Field(None, pattern=r"^[^@\s]+@[^@\s]+$", description="Who gets the worklist")
    weights: Annotated[dict[str, float], AfterValidator(_is_weight)] = Field(
        {}, description="Weights of matching.toml by name; 0 takes a kind of evidence out of play"
    )

    def over(self, policy: MatchingPolicy) -> MatchingPolicy:
        """The policy of matching.toml with what this import says of its own."""
        own = {name: value for name, value in self if name != "weights" and value is not None}
        weights = policy.weights.model_copy(update=self.weights)
        return policy.model_copy(update={**own, "weights": weights})


class RecordRules(RegisterModel):
    """Where a source keeps what MARC 21 has in the leader, 001, 003 and 008."""

    number: Place = Field("001", description="The record's own number: `001`, or `tag$code`")
    agency: Place = Field("003", description="Whose number that is: `003`, or `tag$code`")
    number_prefix: str | None = Field(
        None, pattern=r"^[A-Za-z0-9.-]{2,20}$", description="Whose number it is, where the record does not say"
    )
    prefix_when: Literal["missing", "always"] = Field(
        "missing", description="`always`: `number_prefix` in place of whatever the record says, unless that is us"
    )
    kind: Place | None = Field(
        None, description="`tag$code` that tells the type of record, looked up in `kinds`; not set: leader/06 and 07"
    )
    kinds: dict[str, Annotated[str, Field(pattern=r"^[a-z][a-z]$")]] = Field(
        {}, description="What stands there: leader/06 and 07, such as `am`"
    )
    default_kind: Annotated[str, Field(pattern=r"^[a-z][a-z]$")] | None = Field(
        None, description="leader/06 and 07 of records that do not tell theirs"
    )
    level: Place | None = Field(
        None, description="`tag$code` that tells how full the record is, looked up in `levels`; not set: leader/17"
    )
    levels: dict[str, EncodingLevel] = Field({}, description="What stands there: leader/17")
    year: Place | None = Field(None, description="`tag$code` of the year; a new 008 is made of it")
    country: Place | None = Field(None, description="`tag$code` of the country's code, for that 008")
    language: Place | None = Field(None, description="`tag$code` of the language's code, for that 008")


class FieldRule(RegisterModel):
    """One field of the source becomes one of MARC 21. The rules of a tag are tried in order; each makes a field."""

    tag: Tag = Field(description="The field as the source has it; it goes")
    to: DataTag | None = Field(None, description="The field that it becomes; not set: it goes for good")
    indicators: Annotated[str, Field(pattern=r"^[0-9a-z ]{2}$")] | None = Field(
        None, description="Of the new field; not set: as they were"
    )
    subfields: dict[Code, Code] = Field(
        {}, description="Code there: code here; other subfields go. Empty: all stay as they are"
    )
    join: str | None = Field(
        None, description="Subfields that get the same code are joined with this; not set: each stays by itself"
    )
    when: dict[Code, RegularExpression] = Field(
        {}, description="Only fields in which a subfield with this code matches in full; else the next rule is tried"
    )


class HoldingRule(RegisterModel):
    """Fields of a bib, one an item or one a library, become its holdings. Fields that say the same become one line.

    A rule for 852 that names no subfields but the sigel's keeps all others as they are.
    """

    tag: DataTag = Field(description="The field: 852, 949, 952, 980, ...; it goes from the bib")
    sigel: Code | None = Field(None, description="Subfield that says which library or branch")
    sigels: dict[str, str] = Field({}, description="What stands there: the library's sigel; else it is the sigel")
    default_sigel: str | None = Field(None, description="Sigel where that subfield is missing")
    call_number: Codes = Field("", description="Subfields of the call number, in order; become 852 $h")
    shelf_mark: Codes = Field("", description="Subfields of the shelf mark, in order; become 852 $j")
    location: Codes = Field("", description="Subfields of the place in the library, in order; become 852 $c")
    public_note: Codes = Field("", description="Subfields of notes for everybody; become 852 $z")
    internal_note: Codes = Field("", description="Subfields of notes for staff; become 852 $x")
    item_count: Code | None = Field(
        None, description="Subfield with the number of items; not set: fields are counted. From 2 on 852 $x says it"
    )
    skip: dict[Code, RegularExpression] = Field(
        {}, description="A field in which a subfield with this code matches in full is no holding: lost, withdrawn"
    )

    @model_validator(mode="after")
    def _says_whose(self) -> HoldingRule:
        if self.sigel is None and self.default_sigel is None:
            raise ValueError(f"holdings of {self.tag}: sigel or default_sigel must say whose they are")
        return self


class ImportProfile(RegisterModel):
    """One base that a member brings, and how it comes in. The engine takes it as it takes a supplier."""

    code: str = Field(
        pattern=r"^[a-z][a-z0-9-]{1,19}$", description="Short code, as `--profile` names it; owner of the lines it adds"
    )
    name: str = Field(min_length=1, description="Whose base it is, as it stands in e-mails")
    contact: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="E-mail for rejected records")
    language: str = Field("en", pattern=r"^[a-z]{2}$", description="Language of e-mails to the contact")
    libraries: tuple[str, ...] = Field(min_length=1, description="Sigels whose holdings it may bring")
    formats: tuple[Literal["iso2709", "marcxml"], ...] = Field(("marcxml", "iso2709"), description="What it may be")
    charset: Literal["auto", "utf-8", "marc-8", "iso8859-1"] = Field(
        "auto", description="Declared character set; `auto` trusts leader/09, then looks at the bytes"
    )
    create: Literal["all", "with_number", "none"] = Field(
        "all",
        description="Bibs that the catalogue lacks: all are created, those with a valid ISBN, ISSN or EAN, or none; "
        "the others are rejected and go back",
    )
    overlay: bool = Field(False, description="Bibs that the catalogue has may be replaced, as the level table says")
    level_ceiling: EncodingLevel = Field("7", description="A better level than this is read as this")
    level_table: str | None = Field(None, description="Name of another table in levels.toml")
    keep: tuple[str, ...] | None = Field(None, description="Keep list in place of the one in levels.toml")
    samples: int = Field(3, ge=0, le=50, description="Records of each outcome that a plan shows before and after")
    record: RecordRules = Field(RecordRules(), description="Where the source keeps what MARC 21 has in 001 to 008")
    fields: tuple[FieldRule, ...] = Field((), description="Fields that mean something else in MARC 21, or nothing")
    holdings: tuple[HoldingRule, ...] = Field(
        (), description="Fields that become holdings; empty: 852 with $b, as in a delivery"
    )
    normalisation: NormalisationRules = Field(NormalisationRules(), description="Rules before matching")
    matching: ImportMatching = Field(ImportMatching(), description="What of matching.toml is different")
    quality: QualityLimits = Field(QualityLimits(), description="Shares under which the plan warns; nothing is held")

    @property
    def file(self) -> FileRules:
        """An import's file may have any name."""
        return FileRules()

    def has_agreement(self, on: date) -> bool:
        """An import needs none of its own: its libraries do."""
        return True

    @model_validator(mode="after")
    def _consistent(self) -> ImportProfile:
        for rule in self.holdings:
            named = {*rule.sigels.values(), *filter(None, [rule.default_sigel])}
            others = sorted(named - set(self.libraries))
            if others:
                raise ValueError(f"holdings of {rule.tag}: {', '.join(others)} is none of `libraries`")
        twice = sorted({each.tag for each in self.fields} & {each.tag for each in self.holdings})
        if twice:
            raise ValueError(f"fields: {', '.join(twice)} becomes holdings already")
        for key, table in (("kind", "kinds"), ("level", "levels")):
            if getattr(self.record, key) and not getattr(self.record, table):
                raise ValueError(f"record: {key} needs {table}, in which it is looked up")
        return self
