"""The errors Samkat raises on purpose. Each says what happened, where, and what to do next.

Every error that reaches a person is a `SamkatError`: file, position, field, cause and remedy are attributes, so that
the command line, an e-mail and a row in the warehouse can all show the same facts.
"""

from __future__ import annotations


class SamkatError(Exception):
    """What happened (`cause`), where (`file`, `position`, `field`) and what to do (`remedy`)."""

    exit_code = 4

    def __init__(
        self,
        cause: str,
        *,
        file: str | None = None,
        position: int | None = None,
        field: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.cause = cause
        self.file = file
        self.position = position
        self.field = field
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        place = [self.file] if self.file else []
        if self.position is not None:
            place.append(f"record {self.position}")
        if self.field:
            place.append(self.field)
        text = f"{', '.join(place)}: {self.cause}" if place else self.cause
        return f"{text} ({self.remedy})" if self.remedy else text


class ConfigurationError(SamkatError):
    """Settings or register are wrong; nothing has been done."""

    exit_code = 2


class UsageError(SamkatError):
    """The command or flow was called in a way that cannot work; nothing has been done."""

    exit_code = 2


class DeliveryRejectedError(SamkatError):
    """A whole delivery cannot be taken in (not MARC, over the unpacking limits, a broken file-name promise)."""


class ConservationError(SamkatError):
    """The records of a delivery do not add up: something would have been lost silently."""


class HeldError(SamkatError):
    """A person has to decide first; nothing is lost."""

    exit_code = 3
