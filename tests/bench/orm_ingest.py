"""Deliveries as library scripts load them: pymarc and an ORM, a look-up and a commit a record.

Two such loaders, since "plain" can mean either. The one keeps what such a script cannot do without: a row a bib and a
row a holding. The other leaves the union catalogue that Samkat leaves, so that the two do the same work: the record as
it came, every ISBN and other number as a row to be found by, the match, a holding a library with its lines, the
outcome. Neither decides by levels, proves or reports anything.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pymarc
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

ORM_RECORDS = 2_000
_ISBN = re.compile(r"[\dXx-]{10,17}")


class _Base(DeclarativeBase):
    pass


class _PlainBib(_Base):
    __tablename__ = "plain_bib"
    id: Mapped[int] = mapped_column(primary_key=True)
    control_number: Mapped[str | None] = mapped_column(index=True)
    isbn: Mapped[str | None] = mapped_column(index=True)
    title: Mapped[str | None]
    content: Mapped[bytes]


class _PlainHolding(_Base):
    __tablename__ = "plain_holding"
    id: Mapped[int] = mapped_column(primary_key=True)
    bib_id: Mapped[int] = mapped_column(index=True)
    sigel: Mapped[str | None]
    shelf_mark: Mapped[str | None]
    content: Mapped[bytes]


class _Record(_Base):
    """A record as it came, and what became of it."""

    __tablename__ = "same_record"
    id: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[bytes]
    outcome: Mapped[str]
    reason: Mapped[str]
    bib_id: Mapped[int | None] = mapped_column(index=True)
    holding_id: Mapped[int | None] = mapped_column(index=True)


class _Bib(_Base):
    __tablename__ = "same_bib"
    id: Mapped[int] = mapped_column(primary_key=True)
    control_number: Mapped[str] = mapped_column(index=True)
    title: Mapped[str | None]
    content: Mapped[bytes]
    version: Mapped[int] = mapped_column(default=1)
    isbns: Mapped[list[_Isbn]] = relationship(cascade="all, delete-orphan")
    numbers: Mapped[list[_Number]] = relationship(cascade="all, delete-orphan")


class _Isbn(_Base):
    __tablename__ = "same_bib_isbn"
    id: Mapped[int] = mapped_column(primary_key=True)
    bib_id: Mapped[int] = mapped_column(sa.ForeignKey("same_bib.id"), index=True)
    isbn: Mapped[str] = mapped_column(index=True)
    raw: Mapped[str]


class _Number(_Base):
    __tablename__ = "same_bib_identifier"
    id: Mapped[int] = mapped_column(primary_key=True)
    bib_id: Mapped[int] = mapped_column(sa.ForeignKey("same_bib.id"), index=True)
    scheme: Mapped[str]
    value: Mapped[str] = mapped_column(index=True)


class _Match(_Base):
    __tablename__ = "same_match"
    id: Mapped[int] = mapped_column(primary_key=True)
    record_id: Mapped[int] = mapped_column(index=True)
    bib_id: Mapped[int]
    evidence: Mapped[str]


class _Holding(_Base):
    __tablename__ = "same_holding"
    id: Mapped[int] = mapped_column(primary_key=True)
    bib_id: Mapped[int] = mapped_column(sa.ForeignKey("same_bib.id"), index=True)
    sigel: Mapped[str] = mapped_column(index=True)
    lines: Mapped[list[_Line]] = relationship(cascade="all, delete-orphan")


class _Line(_Base):
    __tablename__ = "same_holding_line"
    id: Mapped[int] = mapped_column(primary_key=True)
    holding_id: Mapped[int] = mapped_column(sa.ForeignKey("same_holding.id"), index=True)
    shelf: Mapped[str | None]
    shelf_mark: Mapped[str | None]
    note: Mapped[str | None]


def orm_rates(url: str | None, sqlite_file: Path, delivery: Path) -> tuple[float, float]:
    """Records/s of the plain loader and of the one that leaves the same rows, over the first records of a delivery."""
    engine = sa.create_engine(url or f"sqlite:///{sqlite_file}")
    plain, same = (_rate(engine, delivery, load) for load in (_load_plainly, _load_the_same))
    engine.dispose()
    return plain, same


def _rate(engine: sa.Engine, delivery: Path, load: Callable[[Session, pymarc.Record, int], int]) -> float:
    """`load` takes a record and the bib that the one before belonged to, and returns the bib of this one."""
    _Base.metadata.drop_all(engine)
    _Base.metadata.create_all(engine)
    start = time.perf_counter()
    number = bib_id = 0
    with delivery.open("rb") as stream, Session(engine) as session:
        for record in islice(pymarc.MARCReader(stream, to_unicode=True), ORM_RECORDS):
            bib_id = load(session, record, bib_id)
            session.commit()
            number += 1
    seconds = time.perf_counter() - start
    _Base.metadata.drop_all(engine)
    return number / seconds


def _load_plainly(session: Session, record: pymarc.Record, bib_id: int) -> int:
    content = record.as_marc()
    if record.leader[6] in "uvxy":
        sigel, _, shelf_mark, _ = _line(record)
        session.add(_PlainHolding(bib_id=bib_id, sigel=sigel, shelf_mark=shelf_mark, content=content))
        return bib_id
    isbn = record.isbn
    bib = session.scalars(sa.select(_PlainBib).where(_PlainBib.isbn == isbn)).first() if isbn else None
    if bib is None:
        bib = _PlainBib(control_number=record["001"].data, isbn=isbn, title=record.title, content=content)
        session.add(bib)
    else:
        bib.content = content
    session.flush()
    return bib.id


def _load_the_same(session: Session, record: pymarc.Record, bib_id: int) -> int:
    came = _Record(content=record.as_marc(), outcome="", reason="")
    session.add(came)
    if record.leader[6] in "uvxy":
        _attach(session, record, came, bib_id)
        return bib_id
    return _match_and_load(session, record, came)


def _match_and_load(session: Session, record: pymarc.Record, came: _Record) -> int:
    isbns = [
        (found[0].replace("-", ""), value)
        for field in record.get_fields("020")
        for value in field.get_subfields("a", "z")
        if (found := _ISBN.search(value))
    ]
    numbers = [("control_number", record["001"].data)]
    numbers += [("035", value) for field in record.get_fields("035") for value in field.get_subfields("a")]
    wanted = sa.select(_Bib).join(_Isbn).where(_Isbn.isbn.in_([isbn for isbn, _ in isbns]))
    bib = session.scalars(wanted).first() if isbns else None
    if bib is None:
        bib = _Bib(control_number=record["001"].data, title=record.title, content=came.content)
        session.add(bib)
        came.outcome, came.reason = "created", "no bib has one of its numbers"
    else:
        bib.title, bib.content, bib.version = record.title, came.content, bib.version + 1
        came.outcome, came.reason = "replaced", "matched on ISBN"
        session.flush()
        session.add(_Match(record_id=came.id, bib_id=bib.id, evidence=f"isbn {isbns}; title {record.title}"))
    bib.isbns = [_Isbn(isbn=isbn, raw=value) for isbn, value in isbns]
    bib.numbers = [_Number(scheme=scheme, value=value) for scheme, value in numbers]
    session.flush()
    came.bib_id = bib.id
    return bib.id


def _attach(session: Session, record: pymarc.Record, came: _Record, bib_id: int) -> None:
    sigel, shelf, shelf_mark, note = _line(record)
    there = sa.select(_Holding).where(_Holding.bib_id == bib_id, _Holding.sigel == sigel)
    holding = session.scalars(there).first()
    came.outcome, came.reason = "updated", "the library has it already"
    if holding is None:
        holding = _Holding(bib_id=bib_id, sigel=sigel or "")
        session.add(holding)
        came.outcome, came.reason = "created", "new at this library"
    holding.lines = [_Line(shelf=shelf, shelf_mark=shelf_mark, note=note)]
    session.flush()
    came.bib_id, came.holding_id = bib_id, holding.id


def _line(record: pymarc.Record) -> tuple[str | None, str | None, str | None, str | None]:
    """Sigel, shelf, shelf mark and note of an 852."""
    line = record.get("852")
    return (line.get("b"), line.get("c"), line.get("h"), line.get("z")) if line else (None, None, None, None)
