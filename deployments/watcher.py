"""The drop watcher: a file that lands starts its sender's run within seconds.

What belongs here is noticing that something landed (file system events of a folder, bucket events of an object store,
and a slow look of its own for what neither tells) and when to look again. What is whole and what is started for it is
planned in tasks/landing (looking.py, starts.py), alike for the sweep, which takes whatever is missed here.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from watchfiles import watch as watch_folder

from config.settings import Settings, load_settings
from deployments.bucket_events import BucketEvents
from tasks.landing.arriving import Arrivals, arrivals_of
from tasks.landing.keys import Area
from tasks.landing.looking import Look, look
from tasks.landing.s3 import S3Zone
from tasks.landing.settle import Sighting, is_unfinished_name
from tasks.landing.stages import what_to_start
from tasks.landing.starts import Start
from tasks.landing.zone import LandingZone
from tasks.starting import Started, start_runs
from tasks.workplace import Workplace

SAFETY_SECONDS = 30.0
"""A look without any event: network drives send none, and an event can be lost."""
SOON_SECONDS = 0.5
"""While files settle."""
BUSY_SECONDS = 2.0
"""While files wait for a run that is under way."""
QUEUE_SECONDS = 2
"""How long a queue is waited at: longer costs fewer requests, and delays the end."""
COALESCE_SECONDS = 5.0
"""How long whole files of a sender wait for those that are still settling."""
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 2.0, 60.0
LOOK_SHARE = 5
"""Looks may take a sixth of the time: with very many files waiting they are rarer."""
TAG = "watcher"

log = logging.getLogger("samkat.watcher")


@dataclass
class Watcher:
    """Looks and starts; `start` starts runs and raises where Prefect is away."""

    place: Workplace
    start: Callable[[list[Start]], list[Started]]
    arrivals: Arrivals = field(default_factory=Arrivals)
    _sightings: dict[str, Sighting] = field(default_factory=dict)
    _whole_since: dict[str, float] = field(default_factory=dict)

    def look(self) -> float:
        """Look once and start what can be started; returns after how many seconds to look again without an event."""
        began = time.monotonic()
        rules = self.place.register.files_by_sender
        now = datetime.now(UTC)
        earlier = {uri: Sighting(-1, now, now) for uri in self.arrivals.written} | self._sightings
        quiet = self.place.settings.stable_seconds
        files = self.place.zone.waiting()
        seen = look(files, rules, now, quiet, earlier=earlier, renamed=self.arrivals.renamed)
        self._sightings = seen.sightings
        self.arrivals.renamed &= seen.sightings.keys()
        self.arrivals.written.clear()
        settling = self._settling(seen, now, quiet)
        ready = self._coalesced(seen, settling)
        started = self.start(what_to_start(self.place, ready)) if ready.taken else []
        for each in started:
            log.log(logging.INFO if each.is_new else logging.DEBUG, "%s: %s", each.sender, each.said)
        pausing = {each.sender for each in started if not each.is_new}
        if settling or ready.taken.keys() != seen.taken.keys():
            soon = SOON_SECONDS
        else:
            soon = BUSY_SECONDS if seen.taken.keys() - pausing else SAFETY_SECONDS
        return max(soon, LOOK_SHARE * (time.monotonic() - began))

    def _settling(self, seen: Look, now: datetime, quiet: float) -> set[str]:
        """Senders with files that have changed too lately, not counting those whose names say unfinished."""
        return {
            each.sender
            for each, _ in seen.left
            if not is_unfinished_name(each.key) and (now - seen.sightings[each.uri].since).total_seconds() < quiet
        }

    def _coalesced(self, seen: Look, settling: Iterable[str]) -> Look:
        """The look without senders that wait for files still settling, each `COALESCE_SECONDS` at most."""
        now = time.monotonic()
        self._whole_since = {sender: self._whole_since.get(sender, now) for sender in seen.taken}
        held_back = {each for each in settling if now - self._whole_since.get(each, now) < COALESCE_SECONDS}
        taken = {sender: files for sender, files in seen.taken.items() if sender not in held_back}
        return Look(taken, seen.left, seen.strangers, seen.sightings)


def watch(settings: Settings, stop: threading.Event) -> None:
    """Watch the landing zone until `stop` is set. Whatever is away (zone, warehouse, Prefect) is waited for.

    PREFECT_API_URL must name the server before this module is imported.
    """
    place = Workplace(settings)
    watcher = Watcher(place, lambda starts: start_runs(starts, tag=TAG))
    retry = FIRST_RETRY_SECONDS
    while not stop.is_set():
        try:
            for _ in _wake_ups(place, watcher, stop):
                retry = FIRST_RETRY_SECONDS
        except Exception as error:
            log.warning("not watching now, next try in %.0f s: %s: %s", retry, type(error).__name__, error)
            stop.wait(retry)
            retry = min(2 * retry, LONGEST_RETRY_SECONDS)
    place.warehouse.dispose()


def _wake_ups(place: Workplace, watcher: Watcher, stop: threading.Event) -> Iterator[None]:
    """A look now, after each event, and when the last look asked for one; yields after each."""
    with _events(place, stop) as events:
        due = time.monotonic() + watcher.look()
        log.info("watching %s", place.settings.landing_url)
        yield
        for arrived in events:
            watcher.arrivals.renamed |= arrived.renamed
            watcher.arrivals.written |= arrived.written
            if arrived.renamed or arrived.written or time.monotonic() >= due:
                due = time.monotonic() + watcher.look()
                yield
            if stop.is_set():
                return


@contextlib.contextmanager
def _events(place: Workplace, stop: threading.Event) -> Iterator[Iterator[Arrivals]]:
    """What arrives, about twice a second something even where nothing did."""
    folder = place.zone.local_path(place.zone.uri_for(f"{Area.INCOMING}/x"))
    source: Generator[Arrivals, None, None]
    source = _of_folder(place.zone, folder.parent, stop) if folder is not None else _of_store(place, stop)
    with contextlib.closing(source):
        yield source


def _of_folder(zone: LandingZone, incoming: Path, stop: threading.Event) -> Generator[Arrivals, None, None]:
    for changes in watch_folder(
        incoming,
        watch_filter=None,
        debounce=500,
        step=50,
        stop_event=stop,
        rust_timeout=int(SOON_SECONDS * 1000),
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        yield arrivals_of(zone, incoming, [(kind.name, path) for kind, path in changes])


def _of_store(place: Workplace, stop: threading.Event) -> Generator[Arrivals, None, None]:
    queue = place.settings.bucket_events
    events = BucketEvents(queue, place.zone) if queue and isinstance(place.zone, S3Zone) else None
    while not stop.is_set():
        if events is None:
            stop.wait(SOON_SECONDS)
            yield Arrivals()
            continue
        arrived = events.arrivals(QUEUE_SECONDS)
        # A store shows an object when all of it is there.
        yield Arrivals(renamed={place.zone.uri_for(each.key) for each in arrived})
        # They have been looked at. What was not started stays in the watcher's memory, and in the sweep's way.
        events.acknowledge(arrived)


def main() -> None:
    """Watch until SIGTERM or SIGINT: a service of its own, where `samkat serve` is not used."""
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    # Prefect has set up the root logger for itself.
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    watch(load_settings(), stop)


if __name__ == "__main__":
    main()
