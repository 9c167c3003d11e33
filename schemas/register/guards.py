"""`guards.toml`: how much of a kind of change a run may make before a person has to look."""

from __future__ import annotations

from pydantic import Field

from schemas.register.base import RegisterModel


class GuardLimit(RegisterModel):
    """A class of change is held when it exceeds max(`at_least`, `share` x population)."""

    at_least: int = Field(10, ge=0, description="Never held below this count")
    share: float = Field(0.02, ge=0, description="Share of the population")
    min_population: int = Field(100, ge=0, description="Under this population only `at_least` counts")

    def limit(self, population: int) -> int:
        """The largest count that is let through for this population."""
        if population < self.min_population:
            return self.at_least
        return max(self.at_least, int(self.share * population))


class GuardPolicy(RegisterModel):
    """Limits by flow, then by class of change."""

    flows: dict[str, dict[str, GuardLimit]] = Field(description="Flow name: class of change: limit")

    def limit_for(self, flow: str, change_class: str) -> GuardLimit | None:
        """The limit, or None where the class is not guarded."""
        return self.flows.get(flow, {}).get(change_class)
