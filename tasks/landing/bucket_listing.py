"""What an object below `incoming/` of a landing zone in a bucket is: a file that waits, or one that is never taken.

Hidden names (leading dot) are left out, as in a folder; so are the empty objects with which consoles draw folders.
"""

from __future__ import annotations

from collections.abc import Callable

from tasks.landing.bucket import StoredObject
from tasks.landing.keys import Area, KeyRefusedError, check_key, printable
from tasks.landing.zone import LandedFile, RefusedFile


def listed_object(found: StoredObject, uri_for: Callable[[str], str]) -> LandedFile | RefusedFile | None:
    """`found`, whose key begins with `incoming/`, as the zone tells it; None for what is left out."""
    below = found.key.removeprefix(f"{Area.INCOMING}/")
    sender, slash, rest = below.partition("/")
    if any(part.startswith(".") for part in below.split("/")) or (below.endswith("/") and not found.size):
        return None
    if not slash:
        remedy = "put it below its sender's prefix, incoming/<sender>/"
        return RefusedFile("", printable(below), "lies outside every sender's folder", remedy)
    try:
        check_key(found.key)
    except KeyRefusedError as error:
        return RefusedFile(sender, printable(below), error.cause, error.remedy or "rename it")
    name = rest.rpartition("/")[2]
    return LandedFile(uri_for(found.key), found.key, sender, name, found.size, found.modified_at)
