"""Column types and the metadata that every layer shares.

Portable by rule: instants are UTC, dates are DATE, text compares by bytes wherever order or a hash depends on it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

INSTANT_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class UtcInstant(TypeDecorator[datetime]):
    """A moment in UTC: `timestamptz` on PostgreSQL, ISO 8601 text with `Z` on SQLite. Naive values are refused."""

    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The storage of this engine."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        return dialect.type_descriptor(sa.String(27))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Bring the value to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant needs a time zone: {value!r}")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.strftime(INSTANT_FORMAT)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read it back as an aware datetime in UTC."""
        if value is None or isinstance(value, datetime):
            return None if value is None else value.astimezone(UTC)
        return datetime.fromisoformat(value)  # says UTC itself; strptime takes 20 times as long


def key_text() -> sa.Text:
    """Text that is compared and ordered by its bytes on both engines."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def big_id() -> sa.BigInteger:
    """A surrogate id. SQLite only auto-numbers and clusters on INTEGER."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def code_column(name: str, comment: str, **options: Any) -> sa.Column[str]:
    """A short code: an enum value, a sigel, a supplier."""
    return sa.Column(name, key_text(), nullable=options.pop("nullable", False), comment=comment, **options)


def flag(name: str, comment: str, default: bool = False) -> sa.Column[bool]:
    """A boolean that is never null."""
    return sa.Column(
        name, sa.Boolean(create_constraint=False), nullable=False, comment=comment,
        server_default=sa.true() if default else sa.false(),
    )  # fmt: skip


def count(name: str, comment: str) -> sa.Column[int]:
    """A stored count."""
    return sa.Column(name, sa.Integer, nullable=False, server_default="0", comment=comment)


def change_no(comment: str) -> sa.Column[int]:
    """A change number: given out in the order of commits, so that a window of them never misses a change."""
    return sa.Column("change_no", sa.BigInteger, nullable=False, server_default="0", comment=comment)
