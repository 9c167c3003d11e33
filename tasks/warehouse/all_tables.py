"""Every table of the warehouse: importing this module fills the metadata."""

from schemas.warehouse import (
    accounts,
    collections,
    core,
    exports,
    imports,
    joining,
    merging,
    patrons,
    raw,
    stage,
    suppliers,
)
from schemas.warehouse.base import metadata

__all__ = [
    "accounts",
    "collections",
    "core",
    "exports",
    "imports",
    "joining",
    "merging",
    "metadata",
    "patrons",
    "raw",
    "stage",
    "suppliers",
]
