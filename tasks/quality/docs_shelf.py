"""Where people find the Data Docs: in the folder they are made in, or in the bucket of the landing zone.

Pages are always made in a folder (of HOME), because Great Expectations writes files. Where the landing zone is an
object store, HOME may go when the machine of a run goes: so the pages are put into the zone below `data-docs/` as well,
and what is noted and shown is where they are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tasks.landing.keys import Area
from tasks.landing.zone import LandingZone


@dataclass(frozen=True)
class DocsShelf:
    """`folder`: where pages are made. `zone`: where they are put as well, or None."""

    folder: Path
    zone: LandingZone | None = None

    def uri(self, page: Path) -> str:
        """The URI under which people find `page`, a file below `folder`."""
        return page.as_uri() if self.zone is None else self.zone.uri_for(self._key(page))

    def link(self, uri: str) -> str:
        """The way from the page that leads to all to another one: short where both are on this shelf.

        So a shelf can be copied to a web server as it is. Pages made elsewhere keep their URI.
        """
        index = self.uri(self.folder / "index.html")
        return uri.removeprefix(index.removesuffix("index.html"))

    def put_up(self, made: Path) -> None:
        """Put a page, or every page of a folder, where people find it; those that are there are written over.

        Raises what the landing zone raises. Does nothing where the pages are found where they are made.
        """
        if self.zone is None:
            return
        pages = sorted(each for each in made.rglob("*") if each.is_file()) if made.is_dir() else [made]
        for page in pages:
            with page.open("rb") as stream:
                self.zone.put(self._key(page), stream, overwrite=True)

    def _key(self, page: Path) -> str:
        return f"{Area.DATA_DOCS}/{page.relative_to(self.folder).as_posix()}"


def shelf_of(folder: Path, zone: LandingZone) -> DocsShelf:
    """The shelf for pages made in `folder`: that folder beside a zone with folders, else the zone as well."""
    has_folders = zone.local_path(zone.uri_for(f"{Area.REPORTS}/x")) is not None
    return DocsShelf(folder, None if has_folders else zone)
