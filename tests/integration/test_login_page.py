"""The UI of a home's own server in headless Chromium: it asks for the login, and then shows everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from config.settings import Settings
from deployments.local_server import ServerAddress, ensure_server, stop_server
from deployments.login import known_login

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
PATIENCE_MS = 60_000


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A fresh home, whose server is gone after the test."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    made = Settings(home=tmp_path / "home")
    yield made
    stop_server(made)


@pytest.fixture
def address(settings: Settings) -> ServerAddress:
    """The home's server, which asks for a login."""
    return ensure_server(settings)


def test_the_page_lets_in_who_types_the_line_of_the_login_file(settings: Settings, address: ServerAddress) -> None:
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's package chromium")
    login = known_login(settings.prefect_home)
    assert login is not None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page()
        expect.set_options(timeout=PATIENCE_MS)
        page.goto(f"{address.ui_url}/flows", timeout=PATIENCE_MS)
        field = page.locator("input[type=password]")
        expect(field).to_be_visible()
        field.fill(login)
        field.press("Enter")
        expect(field).to_be_hidden()
        page.goto(f"{address.ui_url}/work-pools", timeout=PATIENCE_MS)
        expect(page.get_by_text("Work Pools").first).to_be_visible()
        expect(field).to_be_hidden()
        browser.close()
