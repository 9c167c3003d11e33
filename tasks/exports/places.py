"""Where files for local systems are put: a folder or a bucket, the landing zone's own or the receiver's.

Nothing is ever written over. A file counts as delivered when it was read back and is what was made.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from schemas.errors import ConfigurationError
from schemas.register.export_profiles import ExportProfile
from tasks.exports.ledger import MadeFile
from tasks.landing.fingerprint import fingerprint
from tasks.landing.folder import FolderZone
from tasks.landing.keys import Area, check_key
from tasks.landing.opening import open_zone
from tasks.landing.zone import LandingZone, NotLandedError

EXTENSIONS = {"iso2709": "marc", "marcxml": "xml"}
MOST_NAMES = 1_000
"""Files of one day or window; more are a mistake."""


def place_of(profile: ExportProfile, landing: LandingZone) -> LandingZone:
    """The zone that a profile's files go to.

    Raises `ConfigurationError` where a folder of the receiver's is not there: an unmounted drive must not be filled.
    """
    if profile.place is None:
        return landing
    zone = open_zone(profile.place)
    if isinstance(zone, FolderZone) and not Path(zone.root).is_dir():
        raise ConfigurationError(
            "there is no such folder",
            file=profile.place,
            field=f"export_profile[{profile.name}].place",
            remedy="is the drive mounted? make the folder, or correct the register",
        )
    return zone


def base_name(profile: ExportProfile, days: tuple[date, ...]) -> str:
    """`<profile>.<YYYYMMDD>` for the changes of a night, `<profile>.<from>-<to>` for a window."""
    return f"{profile.name}.{'-'.join(f'{each:%Y%m%d}' for each in days)}"


def free_name(zone: LandingZone, profile: ExportProfile, base: str) -> str:
    """The first name of this day or window that nothing has yet: `solberg.20250314.marc`, then `-2`, `-3`.

    The manifest's name counts, too: a receiver may take the records away and leave the rest.
    """
    extension = EXTENSIONS[profile.format]
    for number in range(1, MOST_NAMES):
        name = f"{base}{'' if number == 1 else f'-{number}'}.{extension}"
        taken = (zone.exists(zone.uri_for(key_of(profile, each))) for each in (name, f"{name}.manifest.json"))
        if not any(taken):
            return name
    raise ConfigurationError(
        f"{MOST_NAMES} files are there already", file=key_of(profile, base), remedy="take old ones away"
    )


def key_of(profile: ExportProfile, name: str) -> str:
    """`exports/<profile>/<name>`, in the landing zone as in the receiver's place."""
    return check_key(f"{Area.EXPORTS}/{profile.name}/{name}")


def is_there(zone: LandingZone, file: MadeFile) -> bool:
    """Whether the place has this very file: it is read from there and its sha256 compared."""
    try:
        if zone.size(file.uri) != file.size:
            return False
        with zone.open(file.uri) as stream:
            return fingerprint(stream).sha256 == file.sha256
    except NotLandedError:
        return False
