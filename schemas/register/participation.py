"""`participation.toml`: what is asked of libraries that join, and of those that take part."""

from __future__ import annotations

from pydantic import Field

from schemas.register.base import RegisterModel


class ParticipationRules(RegisterModel):
    """Figures of the rules in docs/library-onboarding.md; the rules themselves are code."""

    school_hours_a_week: float = Field(20.0, gt=0, le=168, description="Hours a week that a school library is staffed")
    courses: tuple[str, ...] = Field((), description="Trainings in cataloguing that count; empty: any")
    freshness_months: int = Field(
        12, ge=1, le=120, description="A registering library whose holdings have not moved for so long is listed"
    )
    contact: str | None = Field(
        None, pattern=r"^[^@\s]+@[^@\s]+$", description="Who gets that list; missing: the operator of catalogue.toml"
    )
