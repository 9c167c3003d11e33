"""Where a stage works: settings, register, warehouse and landing zone, opened once a process.

Only stages and flows use it; everything below gets what it needs as arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

from config.reading import read_register
from config.settings import Settings, load_settings
from schemas.errors import UsageError
from schemas.register.import_profiles import ImportProfile
from schemas.register.patron_sources import PatronSource
from schemas.register.register import Register
from schemas.register.senders import Sender
from schemas.register.suppliers import Supplier
from tasks.landing.opening import open_zone
from tasks.landing.unpack import UnpackLimits
from tasks.landing.zone import LandingZone
from tasks.salt import salt_in
from tasks.warehouse.engine import Warehouse, connect

_Entry = TypeVar("_Entry")


@dataclass(frozen=True)
class Workplace:
    """Settings, and what they lead to. Connections and files are opened when they are first asked for."""

    settings: Settings

    @cached_property
    def register(self) -> Register:
        """The policy."""
        return read_register(self.settings.register_folder)

    def read_register_again(self) -> Register:
        """The policy as it is now, for this process: after a library has entered the register, or left it."""
        self.__dict__.pop("register", None)
        return self.register

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse, connected."""
        return connect(self.settings.warehouse_url.get_secret_value())

    @cached_property
    def zone(self) -> LandingZone:
        """The landing zone."""
        return open_zone(self.settings.landing_url)

    @cached_property
    def unpack_limits(self) -> UnpackLimits:
        """How far a packed delivery may unfold."""
        return UnpackLimits(self.settings.max_members, self.settings.max_ratio, self.settings.max_unpacked_bytes)

    @cached_property
    def patron_salt(self) -> bytes:
        """The secret of the keyed hashes that stand for persons, the same for as long as the warehouse lives."""
        given = self.settings.patron_salt
        return given.get_secret_value().encode() if given else salt_in(self.settings.home)

    @property
    def now(self) -> datetime:
        """This moment, in UTC."""
        return datetime.now(UTC)

    @property
    def today(self) -> date:
        """The business date: as set, or the calendar's in the consortium's time zone."""
        return self.settings.today or datetime.now(ZoneInfo(self.settings.timezone)).date()

    def patron_source(self, code: str) -> PatronSource:
        """A patron source of the register. Raises `UsageError` for an unknown code."""
        return _known(self.register.patron_source_by_code, code, "no patron source")

    def sender(self, code: str) -> Sender:
        """A supplier or an import profile of the register. Raises `UsageError` for an unknown code."""
        return _known(self.register.sender_by_code, code, "no supplier and no import profile")

    def import_profile(self, code: str) -> ImportProfile:
        """An import profile of the register. Raises `UsageError` for an unknown code."""
        return _known(self.register.import_profile_by_code, code, "no import profile")

    def supplier(self, code: str) -> Supplier:
        """A supplier of the register. Raises `UsageError` for an unknown code."""
        return _known(self.register.supplier_by_code, code, "no supplier")


def _known(by_code: Mapping[str, _Entry], code: str, nothing: str) -> _Entry:
    if code not in by_code:
        known = ", ".join(sorted(by_code)) or "none"
        raise UsageError(f"{nothing} has the code {code!r}", remedy=f"known are {known}")
    return by_code[code]


def workplace() -> Workplace:
    """The workplace of this process, as its environment says now."""
    return _workplace(load_settings())


@lru_cache(maxsize=4)
def _workplace(settings: Settings) -> Workplace:
    return Workplace(settings)
