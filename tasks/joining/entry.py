"""The register entry of an admitted library: composed, written so that the register reads it again, and taken away.

An entry is a file of its own, `libraries/SIGEL.toml` in the register's folder. It is linked into place under its name,
so it is there whole or not at all, and a file that is there is never written over.
"""

from __future__ import annotations

import contextlib
import json
import os
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path

from schemas.applications import Application
from schemas.errors import ConfigurationError, UsageError
from schemas.register.libraries import Library

FOLDER = "libraries"
"""Of the register; config/reading.py reads every file in it."""


def library_of(application: Application) -> Library:
    """The register's entry for an applicant. Its agreement must have a first day (`agreement_dates`)."""
    agreement = application.agreement
    if agreement.starts_on is None:
        raise ValueError("an agreement without a first day makes no entry")
    return Library(
        sigel=application.sigel,
        name=application.name,
        consortium=application.consortium,
        municipality=application.municipality,
        participation=application.participation,
        agreement_from=agreement.starts_on,
        agreement_to=agreement.ends_on,
        contact=application.contact.email,
        language=application.language,
        suppliers=application.suppliers,
    )


def entry_text(library: Library, *remarks: str) -> str:
    """The entry as TOML, with remarks before it. Keys that are not set are left out."""
    lines = [f"# {each}" for each in remarks]
    for key, value in library:
        if value is not None and value != ():
            lines.append(f"{key} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def library_in(text: str) -> Library:
    """The way back from `entry_text`."""
    return Library.model_validate(tomllib.loads(text))


def _toml(value: object) -> str:
    """A value as TOML writes it; strings of an application hold no control characters, so JSON's way is TOML's."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return json.dumps(value, ensure_ascii=False)


def entry_file(register: Path, sigel: str) -> Path:
    """Where a library's entry is."""
    return register / FOLDER / f"{sigel}.toml"


def text_there(register: Path, sigel: str) -> str | None:
    """The entry as it is in the register's folder now; None where there is none."""
    try:
        return entry_file(register, sigel).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def write_entry(register: Path, sigel: str, text: str, check: Callable[[], object]) -> bool:
    """Put an entry into the register's folder; False where this very text is there already.

    `check` reads the register again: what it raises takes the entry away. Raises `UsageError` where another file has
    the name, `ConfigurationError` where the folder cannot be written.
    """
    file = entry_file(register, sigel)
    part = file.with_name(f".{sigel}.{os.getpid()}.part")
    try:
        file.parent.mkdir(exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.link(part, file)
    except FileExistsError:
        if text_there(register, sigel) == text:
            return False
        raise UsageError(
            "is there already, and says something else", file=str(file), remedy="nothing was written over; look at it"
        ) from None
    except OSError as error:
        raise _unwritable(file, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
    try:
        check()
    except BaseException:
        file.unlink()
        raise
    return True


def remove_entry(register: Path, sigel: str, text: str, check: Callable[[], object]) -> bool:
    """Take an entry away; False where it is gone already.

    `check` reads the register again: what it raises puts the entry back. Raises `UsageError` where somebody has changed
    the file since, `ConfigurationError` where the folder cannot be written or another part of the register names the
    library.
    """
    file = entry_file(register, sigel)
    there = text_there(register, sigel)
    if there is None:
        return False
    if there != text:
        raise UsageError(
            "was changed since the library was admitted", file=str(file), remedy="take it away by hand if it is to go"
        )
    try:
        file.unlink()
    except OSError as error:
        raise _unwritable(file, error) from error
    try:
        check()
    except BaseException as error:
        write_entry(register, sigel, text, lambda: None)
        if isinstance(error, ConfigurationError):
            remedy = "take the library out of there first; its entry was put back"
            raise ConfigurationError(error.cause, file=error.file, field=error.field, remedy=remedy) from error
        raise
    return True


def _unwritable(file: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"cannot be written: {error.strerror or error}",
        file=str(file),
        remedy="the process that admits libraries needs the right to write to the register's folder",
    )
