"""`levels.toml`: which encoding level may replace which, and what survives a replacement."""

from __future__ import annotations

from pydantic import Field, model_validator

from schemas.register.base import RegisterModel

ALL_LEVELS = " 12345678"


class LevelTable(RegisterModel):
    """Rows: incoming level; values: the existing levels that it replaces. Levels are leader/17, blank is a space.

    `read_as` maps codes to one of the nine levels; `unclear_incoming` and `unclear_existing` say how an unknown
    code is read on either side: low on the incoming record, high on the existing one.
    """

    replaces: dict[str, str] = Field(description="Incoming level: string of existing levels it may replace")
    read_as: dict[str, str] = Field(
        {"4": "3", "e": "3", "i": "3", "j": "3", "k": "3", "l": "3", "m": "3", "u": "3", "z": "3"},
        description="Codes read as another level",
    )
    unclear_incoming: str = Field("5", description="How an unknown code on an incoming record is read")
    unclear_existing: str = Field(" ", description="How an unknown code on an existing record is read")
    never_replaced: str = Field(" 12", description="Existing levels that nothing replaces, not even their own source")
    same_source_replaces_equal: bool = Field(True, description="Equal levels replace only when one source made both")

    @model_validator(mode="after")
    def _known_levels(self) -> LevelTable:
        for incoming, existing in self.replaces.items():
            for level in incoming + existing:
                if level not in ALL_LEVELS:
                    raise ValueError(f"unknown encoding level {level!r}")
        return self


class LevelPolicy(RegisterModel):
    """`levels.toml` as a whole."""

    order: tuple[str, ...] = Field(
        ("5", "8", "3467", " 12"), description="Levels from worst to best, for ceilings; one string holds equals"
    )
    tables: dict[str, LevelTable] = Field(description="By name; `default` must be there")
    keep: tuple[str, ...] = Field(
        ("$5", "6XX", "082", "084", "$0", "505", "520", "856", "240?"),
        description="What of the existing record survives a replacement: tag, NXX, $code, or `tag?` (only where the "
        "new record has none)",
    )

    @model_validator(mode="after")
    def _has_default(self) -> LevelPolicy:
        if "default" not in self.tables:
            raise ValueError("a table named `default` is needed")
        return self
