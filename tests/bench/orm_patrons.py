"""Files of persons as scripts sync them: lxml and an ORM, person by person.

Two such loops, since "a loop" can mean either. The one has a row a person with all values as one text, and compares the
texts. The other keeps what a merge with protection needs, as Samkat does: a row a value, each with its source and
whether it is protected, read and compared one by one, and a row a change. Neither has guards, a plan, leavers or undo.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from lxml import etree
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

_EVERY = 100
"""One person in so many has changed."""


class _Base(DeclarativeBase):
    pass


class _Text(_Base):
    """A person as one row."""

    __tablename__ = "orm_text"
    primary_id: Mapped[str] = mapped_column(primary_key=True)
    values: Mapped[str]


class _Person(_Base):
    __tablename__ = "orm_person"
    person_id: Mapped[int] = mapped_column(primary_key=True)
    primary_id: Mapped[str] = mapped_column(unique=True)
    values: Mapped[list[_Value]] = relationship()


class _Value(_Base):
    __tablename__ = "orm_value"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("orm_person.person_id"), index=True)
    source: Mapped[str]
    path: Mapped[str]
    value: Mapped[str]
    is_protected: Mapped[bool] = mapped_column(default=False)


class _Change(_Base):
    __tablename__ = "orm_change"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(index=True)
    path: Mapped[str]
    before: Mapped[str]
    after: Mapped[str]


def orm_rates(url: str, path: Path, persons: int) -> tuple[float, float]:
    """Persons a second of the loop over rows of text, and of the one over values; one person in a hundred changed."""
    engine = sa.create_engine(url)
    users = _first_users(path, persons)
    texts = _rate(engine, users, _add_text, _sync_text)
    values = _rate(engine, users, _add_values, _sync_values)
    engine.dispose()
    return texts, values


def _rate(
    engine: sa.Engine,
    users: list[bytes],
    prepare: Callable[[Session, dict[str, str]], None],
    sync: Callable[[Session, dict[str, str]], None],
) -> float:
    _Base.metadata.drop_all(engine)
    _Base.metadata.create_all(engine)
    with Session(engine) as session:
        for number, content in enumerate(users):
            has_changed = number % _EVERY == 0
            prepare(session, _values(content) | ({"last_name": "as it was"} if has_changed else {}))
        session.commit()
    began = time.perf_counter()
    with Session(engine) as session:
        for content in users:
            sync(session, _values(content))
            session.expunge_all()
    rate = len(users) / (time.perf_counter() - began)
    _Base.metadata.drop_all(engine)
    return rate


def _values(content: bytes) -> dict[str, str]:
    """Every value of a user by its path; of two of a kind the first."""
    found: dict[str, str] = {}
    for each in etree.fromstring(content).iter():
        if len(each) == 0:
            parent = each.getparent()
            within = "" if parent is None or parent.tag == "user" else f"{parent.tag}."
            found.setdefault(f"{within}{each.tag}", each.text or "")
    return found


def _add_text(session: Session, values: dict[str, str]) -> None:
    session.add(_Text(primary_id=values["primary_id"], values=json.dumps(values)))


def _sync_text(session: Session, values: dict[str, str]) -> None:
    found, said = session.get(_Text, values["primary_id"]), json.dumps(values)
    if found is not None and found.values != said:
        found.values = said
        session.commit()


def _add_values(session: Session, values: dict[str, str]) -> None:
    rows = [_Value(source="VESTSTUD", path=path, value=value) for path, value in values.items()]
    session.add(_Person(primary_id=values["primary_id"], values=rows))


def _sync_values(session: Session, values: dict[str, str]) -> None:
    wanted = sa.select(_Person).where(_Person.primary_id == values["primary_id"]).options(selectinload(_Person.values))
    person = session.scalars(wanted).one()
    has_changed = False
    for row in person.values:
        said = values.get(row.path, "")
        if row.value != said and not row.is_protected:
            session.add(_Change(person_id=person.person_id, path=row.path, before=row.value, after=said))
            row.value, has_changed = said, True
    if has_changed:
        session.commit()


def _first_users(path: Path, persons: int) -> list[bytes]:
    users = []
    for _, element in etree.iterparse(str(path), tag="user"):
        users.append(etree.tostring(element))
        element.clear()
        if len(users) == persons:
            break
    return users
