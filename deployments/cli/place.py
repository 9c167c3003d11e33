"""What a command works on: settings, register, and a warehouse that is there and up to date."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from schemas.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from config.settings import Settings
    from schemas.register.export_profiles import ExportProfile
    from schemas.register.import_profiles import ImportProfile
    from schemas.register.patron_sources import PatronSource
    from schemas.register.register import Register
    from schemas.register.suppliers import Supplier
    from tasks.warehouse.engine import Warehouse

_Entry = TypeVar("_Entry")
SQLITE = "sqlite:///"
WATCHED_SECONDS = 0.4
"""How long a file is looked at that somebody may still write to."""


def settings() -> Settings:
    """The settings of this process. Raises `ConfigurationError`."""
    from config.settings import load_settings

    return load_settings()


def register(of: Settings) -> Register:
    """The register. Raises `ConfigurationError`."""
    from config.reading import read_register

    return read_register(of.register_folder)


@contextmanager
def warehouse(of: Settings) -> Iterator[Warehouse]:
    """The warehouse, which must be there at this program's migration: nothing that reads makes one by the way."""
    from tasks.warehouse.engine import connect

    url = of.warehouse_url.get_secret_value()
    if url.startswith(SQLITE) and not Path(url.removeprefix(SQLITE).partition("?")[0]).is_file():
        raise ConfigurationError(
            "there is no warehouse yet",
            file=of.warehouse_shown.removeprefix(SQLITE),
            remedy="run `samkat init`, or set SAMKAT_HOME to where it is",
        )
    opened = connect(url)
    try:
        if not _is_at_newest_migration(opened):
            from tasks.warehouse.migrate import require_current

            require_current(opened)
        yield opened
    finally:
        opened.dispose()


def _is_at_newest_migration(opened: Warehouse) -> bool:
    """Whether the warehouse is as new as the last file of the migrations, asked without Alembic.

    Its import would be a fifth of the time that `samkat status` takes. In doubt the answer is no, and Alembic is asked.
    """
    import sqlalchemy as sa

    import tasks.warehouse.migrations.versions as versions

    newest = max(path.name[1:5] for path in Path(versions.__path__[0]).glob("v[0-9][0-9][0-9][0-9]_*.py"))
    with opened.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return False
        return list(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars()) == [newest]


def known_supplier(code: str, of: Register) -> Supplier:
    """The supplier `code`. Raises `UsageError` with the known codes and the nearest one."""
    return _known(of.supplier_by_code, code, code.upper(), "supplier", "--supplier", "suppliers.toml")


def known_import_profile(code: str, of: Register) -> ImportProfile:
    """The import profile `code`. Raises `UsageError` with the known codes and the nearest one."""
    return _known(of.import_profile_by_code, code, code.lower(), "import profile", "--profile", "import_profiles.toml")


def known_patron_source(code: str, of: Register) -> PatronSource:
    """The patron source `code`. Raises `UsageError` with the known codes and the nearest one."""
    return _known(of.patron_source_by_code, code, code.upper(), "patron source", "--source", "patron_sources.toml")


def known_export_profile(name: str, of: Register) -> ExportProfile:
    """The export profile `name`. Raises `UsageError` with the known names and the nearest one."""
    file = "export_profiles.toml"
    return _known(of.export_profile_by_name, name, name, "export profile", "--profile", file, called="name")


def _known(
    by_code: Mapping[str, _Entry], code: str, usual: str, what: str, option: str, file: str, called: str = "code"
) -> _Entry:
    """`usual` is the code as such codes are written, `file` where of the register they stand, `called` its name."""
    if code in by_code:
        return by_code[code]
    known = sorted(by_code)
    near = difflib.get_close_matches(usual, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    there = f"known {called}s: {', '.join(known)}" if known else f"write it into {file} of the register"
    raise UsageError(f"no {what} has the {called} {code!r}", field=option, remedy=f"{hint}{there}")


def set_today(day: date) -> None:
    """Make `day` the business date of this command, and of every process that it starts."""
    from config.settings import variable_of

    os.environ[variable_of("today")] = day.isoformat()


def known_sigel(sigel: str, of: Register) -> str:
    """`sigel`, where a library has it. Raises `UsageError` with the known ones and the nearest one."""
    if sigel in of.library_by_sigel:
        return sigel
    known = sorted(of.library_by_sigel)
    near = difflib.get_close_matches(sigel.upper(), [each.upper() for each in known], n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UsageError(
        f"no library has the sigel {sigel!r}", field="--library", remedy=f"{hint}known sigels: {', '.join(known)}"
    )


def plain_files(paths: Sequence[Path]) -> list[Path]:
    """`paths`, each once, when all of them are files that can be opened. Raises `UsageError` naming the first other.

    All are looked at before anything is done with one.
    """
    for path in paths:
        if path.is_dir():
            raise UsageError("is a folder, not a file", file=str(path), remedy=f"name its files: {path}/*")
        if not path.exists():
            raise UsageError("there is no such file", file=str(path), remedy="check the path")
        if not path.is_file():
            raise UsageError("is not a plain file", file=str(path), remedy="name a file, not a pipe or a device")
        try:
            path.open("rb").close()
        except OSError as error:
            raise UsageError(
                f"cannot be read: {error.strerror}", file=str(path), remedy="give yourself the right to read it"
            ) from error
    return list(dict.fromkeys(paths))


def whole_files(paths: Sequence[Path], of: Settings) -> list[Path]:
    """As `plain_files`, and nobody writes to them any more. Raises `UsageError` naming the first that is not whole.

    A file younger than SAMKAT_STABLE_SECONDS is watched for a moment; one that grows meanwhile is not taken.
    """
    from tasks.landing.settle import is_unfinished_name

    found = plain_files(paths)
    for path in found:
        if is_unfinished_name(path.name):
            raise UsageError(
                "is the name of a file on its way", file=str(path), remedy="wait until the sender has renamed it"
            )
    young = {path: seen for path in found if time.time() - (seen := path.stat()).st_mtime < of.stable_seconds}
    if young:
        time.sleep(WATCHED_SECONDS)
    for path, seen in young.items():
        now = path.stat()
        if (now.st_size, now.st_mtime_ns) != (seen.st_size, seen.st_mtime_ns):
            raise UsageError("is still being written to", file=str(path), remedy="try again when it is whole")
    return found


def moment(at: datetime | None, of: Settings) -> str:
    """An instant as the clock on the wall shows it, to the minute; empty for none."""
    return "" if at is None else at.astimezone(ZoneInfo(of.timezone)).strftime("%Y-%m-%d %H:%M")
