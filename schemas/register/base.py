"""What every part of the register has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class RegisterModel(BaseModel):
    """Frozen, and refuses keys it does not know: a typing mistake in a policy must never be silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)
