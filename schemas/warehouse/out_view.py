"""What a promised view is: `schemas/warehouse/out.py` lists them all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OutView:
    """A promised view: `columns` maps each column to its meaning, in the order of `select`."""

    name: str
    about: str
    columns: dict[str, str]
    select: str
    is_personal: bool = False
    """Whether it shows persons: the role that reads the others does not see it."""
