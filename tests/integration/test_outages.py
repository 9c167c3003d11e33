"""What a night needs is away for two minutes, each in a night of its own: all ends loaded exactly once, nothing hangs.

The four nights run side by side; what is stopped is a real server that only its own night uses. A fifth night is not
disturbed and says how all should end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest

from tests.integration.nights import BIBS, HOLDINGS, SMALL_FILES, Night, night
from tests.integration.servers import Postgres, PrefectServer, running_postgres, running_prefect, wait_until
from tests.object_store import ObjectStore

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

AWAY_SECONDS = 120.0
MIDDLE_SECONDS = 400
RECOVERY_SECONDS = 420
DELIVERIES = 1 + SMALL_FILES + 1


@dataclass(frozen=True)
class Outage:
    """What is stopped and started again, and when the night is in the middle of what needs it."""

    stop: Callable[[], None]
    start: Callable[[], None]
    is_in_the_middle: Callable[[Night], bool]
    hides_the_api: bool = False


@dataclass
class Weathered:
    """A night after its outage."""

    night: Night
    states_when_stopped: list[str]
    showed_retries: bool
    seconds_to_recover: float


def through(of: Night, outage: Outage) -> Weathered:
    """Let the night begin, stop what it needs in the middle, bring it back, and wait for the end."""
    of.begin()
    wait_until(lambda: outage.is_in_the_middle(of), MIDDLE_SECONDS, f"{of.name}: it is in the middle", 0.02)
    states = [] if outage.hides_the_api else [of.state_of(each) for each in of.runs.values()]
    outage.stop()
    stopped = time.monotonic()
    showed = False
    while time.monotonic() - stopped < AWAY_SECONDS:
        showed = showed or (not outage.hides_the_api and of.waits_to_retry())
        time.sleep(1)
    outage.start()
    back = time.monotonic()
    wait_until(of.has_ended, RECOVERY_SECONDS, f"{of.name}: its runs have ended", 1)
    return Weathered(of, states, showed, time.monotonic() - back)


@dataclass
class Nights:
    """The nights under way, and what they are held against."""

    undisturbed: Future[Night]
    disturbed: dict[str, Future[Weathered]]


@pytest.fixture(scope="module")
def nights(
    postgres: Postgres, prefect_on_postgres: PrefectServer, object_store: ObjectStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Nights]:  # fmt: skip
    """All of them, begun; a test waits for the end of its own."""
    folder = tmp_path_factory.mktemp("nights")
    (folder / "objects").mkdir()
    (folder / "server").mkdir()
    with ExitStack() as stack:
        others_postgres = stack.enter_context(running_postgres())
        others_store = ObjectStore(folder / "objects")
        others_store.start()
        stack.callback(others_store.stop)
        others_prefect = stack.enter_context(running_prefect(folder / "server", postgres))

        def make(name: str, database: Postgres, server: PrefectServer, store: ObjectStore) -> Night:
            return stack.enter_context(night(name, folder, database, server, store))

        calm = make("calm", postgres, prefect_on_postgres, object_store)
        warehouse = make("warehouse", others_postgres, prefect_on_postgres, object_store)
        landing = make("landing", postgres, prefect_on_postgres, others_store)
        mail = make("mail", postgres, prefect_on_postgres, object_store)
        prefect = make("prefect", postgres, others_prefect, object_store)
        apply(calm, is_quiet=True)
        apply(prefect, is_quiet=False)
        mail.inbox.seconds_a_message = 0.3
        outages = {
            warehouse: Outage(others_postgres.stop, others_postgres.start, lambda of: of.reached("load_bibs") >= 60),
            landing: Outage(others_store.stop, others_store.start, lambda of: of.received() > 5),
            mail: Outage(mail.inbox.stop, mail.inbox.start, lambda of: len(of.inbox.messages) >= 2),
            prefect: Outage(
                others_prefect.stop, others_prefect.start, lambda of: of.reached("load_bibs") >= 60, hides_the_api=True
            ),
        }
        threads = stack.enter_context(ThreadPoolExecutor(len(outages)))
        disturbed = {of.name: threads.submit(through, of, outage) for of, outage in outages.items()}
        yield Nights(threads.submit(undisturbed, calm), disturbed)


def apply(of: Night, *, is_quiet: bool) -> None:
    """Put the deployments on the night's server. On a quiet one nothing starts by itself, and many may run at once."""
    done = of.production.samkat("deployments", "apply")
    assert done.code == 0, done.err
    server = of.production.server
    for each in server.ask("/deployments/filter", {}) if is_quiet else []:
        url = f"{server.api_url}/deployments/{each['id']}"
        httpx.patch(url, json={"paused": True, "concurrency_limit": 20}).raise_for_status()


def undisturbed(calm: Night) -> Night:
    done = calm.production.samkat("sweep", "--here", "--json")
    assert done.code == 0, done.err
    return calm


def proved(nights: Nights, name: str, figures: list[str]) -> Weathered:
    """The night has ended as the undisturbed one did: everything loaded exactly once, everybody told once."""
    weathered = nights.disturbed[name].result()
    of, calm = weathered.night, nights.undisturbed.result()
    figures.append(f"{name} away for {AWAY_SECONDS:.0f} s: all runs ended {weathered.seconds_to_recover:.0f} s after")
    for supplier, each in of.runs.items():
        figures.append(f"{name} away: {supplier} was {', '.join(of.states_of(each))}")
    assert of.states() == {"settled": DELIVERIES}
    assert of.content() == calm.content()
    assert len([each for each in of.content()[1] if each[0]]) >= BIBS + HOLDINGS
    assert of.told() == calm.told()
    assert of.runs_noted()["running"] == 0
    assert of.turns() == []
    return weathered


def all_sent_once(of: Night) -> None:
    assert set(of.notices()) == {"sent"}
    sent = [each[0] for each in of.inbox.messages]
    assert len(sent) == len(set(sent)) == of.notices()["sent"]


def retried(of: Night) -> dict[str, int]:
    """Stages that were tried more than once, and how often."""
    return {each["name"].rsplit("-", 1)[0]: each["run_count"] for each in of.task_runs() if each["run_count"] > 1}


def test_the_warehouse_is_away(nights: Nights, figures: list[str]) -> None:
    weathered = proved(nights, "warehouse", figures)
    of = weathered.night
    assert weathered.showed_retries
    assert {of.state_of(each) for each in of.runs.values()} == {"Completed"}
    assert retried(of)["load bibs"] > 3
    all_sent_once(of)


def test_the_object_store_is_away(nights: Nights, figures: list[str]) -> None:
    weathered = proved(nights, "landing", figures)
    of = weathered.night
    assert weathered.showed_retries
    assert {of.state_of(each) for each in of.runs.values()} == {"Completed"}
    assert retried(of)
    all_sent_once(of)


def test_the_mail_server_is_away(nights: Nights, figures: list[str]) -> None:
    weathered = proved(nights, "mail", figures)
    of = weathered.night
    assert weathered.showed_retries
    assert {of.state_of(each) for each in of.runs.values()} == {"Completed"}
    assert "send notices" in retried(of)
    sweep = of.start("landing-sweep", {})
    wait_until(lambda: of.has_ended(sweep), 120, "the sweep has ended")
    all_sent_once(of)


def test_prefects_api_is_away(nights: Nights, figures: list[str]) -> None:
    weathered = proved(nights, "prefect", figures)
    of = weathered.night
    assert {of.state_of(each) for each in of.runs.values()} == {"Completed"}
    all_sent_once(of)
