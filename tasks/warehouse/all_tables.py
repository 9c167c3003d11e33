"""Every table of the warehouse: importing this module fills the metadata."""

from schemas.warehouse import core, patrons, raw, stage
from schemas.warehouse.base import metadata

__all__ = ["core", "metadata", "patrons", "raw", "stage"]
