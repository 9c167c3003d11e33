"""What a person sees and does in Prefect's UI, in headless Chromium: flows, a run's stages, an artifact, the form.

Screenshots are kept in the folder that TEST_ARTIFACTS names, else in the test's own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect, sync_playwright

from deployments.sample.night import write_night
from schemas.warehouse.core import core_notice, core_plan
from schemas.warehouse.raw import raw_delivery
from tests.integration.servers import Production, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE_MS = 30_000
HELD = "FORHAND_20250314183432_utan-isbn.mrc"


@pytest.fixture
def served(production: Production) -> Production:
    """A home whose deployments are on the server, with a worker; nothing starts by schedule."""
    done = production.samkat("deployments", "apply")
    assert done.code == 0, done.err
    for each in production.server.ask("/deployments/filter", {}):
        httpx.post(f"{production.server.api_url}/deployments/{each['id']}/pause_deployment").raise_for_status()
    production.start_worker()
    return production


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A page of a fresh Chromium."""
    if not Path(CHROMIUM).exists():
        pytest.skip("needs Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        yield opened
        browser.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where the screenshots go."""
    folder = Path(os.environ.get("TEST_ARTIFACTS") or tmp_path) / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def held_run(served: Production, folder: Path) -> str:
    """Let the worker take in a delivery that is held; returns the run's id."""
    file = next(path for _, path, _ in write_night(folder, 1) if path.name == HELD)
    incoming = served.home / "landing" / "incoming" / "FORHAND" / HELD
    incoming.write_bytes(file.read_bytes())
    deployment = served.server.ask("/deployments/name/supplier-ingest/supplier-ingest")
    parameters = {"supplier": "FORHAND", "uris": [incoming.as_uri()]}
    started = served.server.ask(f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
    wait_until(lambda: served.server.flow_runs("Held", flow="supplier-ingest"), 60, "the delivery is held")
    return str(started["id"])


def look_at_the_flows(page: Page, ui: str, pictures: Path) -> None:
    page.goto(f"{ui}/flows")
    expect(page.get_by_role("link", name="catalogue-load")).to_be_visible()
    expect(page.get_by_role("link", name="decide", exact=True)).to_be_visible()
    page.screenshot(path=pictures / "flows.png")


def look_at_a_run(page: Page, ui: str, run_id: str, pictures: Path) -> None:
    """Its graph is drawn on a canvas, so the names of its stages are read beside it."""
    page.goto(f"{ui}/runs/flow-run/{run_id}")
    expect(page.get_by_text("Held", exact=True)).to_be_visible()
    expect(page.get_by_text("stage records: ")).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()
    page.wait_for_timeout(2_000)  # the graph moves into place
    page.screenshot(path=pictures / "run.png")
    page.get_by_text("Task Runs", exact=True).click()
    for stage in ("receive", "stage records", "check deliveries", "match on isbn", "prove conservation", "summarise"):
        expect(page.get_by_role("link", name=re.compile(f"^{stage}-"))).to_be_visible()


def look_at_an_artifact(page: Page, pictures: Path) -> None:
    page.get_by_text("Artifacts", exact=True).click()
    page.get_by_text("deliveries-forhand").click()
    expect(page.get_by_role("cell", name=HELD)).to_be_visible()
    expect(page.get_by_text("67% of 24 bibs have no ISBN").first).to_be_visible()
    page.screenshot(path=pictures / "artifact.png")


def start_the_form(page: Page, served: Production) -> str:
    """By the link of the e-mail about the hold; returns the id of the run that asks."""
    ((text,),) = served.rows(sa.select(core_notice.c.body_text).where(core_notice.c.kind == "held"))
    (link,) = re.findall(r"http\S+/run\?parameters=\S+", text)
    page.goto(link)
    page.get_by_role("button", name="Submit").click()
    (paused,) = wait_until(lambda: served.server.flow_runs("Paused", flow="decide"), 60, "the form waits")
    return str(paused["id"])


def fill_in_the_form(page: Page, ui: str, run_id: str, pictures: Path) -> None:
    page.goto(f"{ui}/runs/flow-run/{run_id}")
    page.get_by_role("button", name="Resume").click()
    dialog = page.locator(".p-modal__card")
    expect(dialog.get_by_text("67% of 24 bibs have no ISBN")).to_be_visible()
    dialog.get_by_role("button", name="leave", exact=True).press("ArrowDown")
    page.get_by_text("approve", exact=True).click()
    comment, who = dialog.locator("textarea").all()
    comment.fill("the supplier has asked")
    who.fill("Bo Alm")
    page.screenshot(path=pictures / "decide-form.png")
    dialog.get_by_role("button", name="Submit").click()


def new_runs(served: Production, known: set[str]) -> list[dict[str, Any]]:
    """Completed runs of supplier-ingest but for the known ones: the server is that of all tests of the session."""
    found = served.server.flow_runs("Completed", flow="supplier-ingest")
    return [each for each in found if each["id"] not in known]


def test_a_person_finds_a_held_run_and_decides_it_in_the_page_and_the_delivery_is_loaded(
    served: Production, page: Page, pictures: Path, tmp_path: Path
) -> None:
    run_id = held_run(served, tmp_path / "night")
    known = {each["id"] for each in served.server.flow_runs("Completed", flow="supplier-ingest")}
    ui = served.server.ui_url
    look_at_the_flows(page, ui, pictures)
    look_at_a_run(page, ui, run_id, pictures)
    look_at_an_artifact(page, pictures)
    asking = start_the_form(page, served)
    fill_in_the_form(page, ui, asking, pictures)

    wait_until(lambda: served.server.flow_runs("Completed", flow="decide"), 60, "the decision is carried out")
    wait_until(lambda: new_runs(served, known), 120, "the delivery goes on")
    (plan,) = served.rows(sa.select(core_plan))
    assert (plan.state, plan.decided_by) == ("applied", "Bo Alm")
    assert plan.reason.endswith("[Bo Alm: the supplier has asked]")
    (delivery,) = served.rows(sa.select(raw_delivery))
    assert (delivery.state, delivery.bibs_created) == ("settled", 24)
    resubmitted = new_runs(served, known)
    assert [(each["deployment_id"] is not None, each["parameters"]["uris"]) for each in resubmitted] == [(True, [])]
