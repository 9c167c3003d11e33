"""Running the intake service with uvicorn, and its log: no path, query or body, since ids stand in them."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import uvicorn

from deployments.intake.app import create_app
from deployments.intake.service import IntakeService

if TYPE_CHECKING:
    from config.settings import Settings

MAX_CONNECTIONS = 200
"""More are told to come again."""
END_SECONDS = 10


def service_of(settings: Settings) -> IntakeService:
    """The service of these settings. Raises `ConfigurationError` for a register that is wrong."""
    from tasks.workplace import Workplace

    place = Workplace(settings)
    return IntakeService(place.warehouse, place.register, place.patron_salt, lambda: place.today)


def run(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are answered first."""
    _log_to_stderr()
    service = service_of(settings)
    app = create_app(service, rate=settings.intake_rate)
    try:
        uvicorn.run(
            app,
            host=host,
            port=port,
            access_log=False,
            log_config=None,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=END_SECONDS,
        )
    finally:
        service.warehouse.dispose()


def _log_to_stderr() -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    # Its lines of requests hold the path.
    logging.getLogger("uvicorn.access").disabled = True
