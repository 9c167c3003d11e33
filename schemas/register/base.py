"""What every part of the register has in common."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return value


RegularExpression = Annotated[str, AfterValidator(_compiles)]
"""A pattern of the register, tried when it is read."""


class RegisterModel(BaseModel):
    """Frozen, and refuses keys it does not know: a typing mistake in a policy must never be silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)
