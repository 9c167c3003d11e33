"""Every table of the warehouse: importing this module fills the metadata."""

from schemas.warehouse import accounts, core, exports, patrons, raw, stage
from schemas.warehouse.base import metadata

__all__ = ["accounts", "core", "exports", "metadata", "patrons", "raw", "stage"]
