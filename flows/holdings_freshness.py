"""Registering libraries have committed themselves to keep their holdings current: are they?"""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.joining.stages import check_freshness, show_as_registered
from tasks.notices.stages import send_notices


@pipeline(name="holdings-freshness", run_name="holdings-freshness", timeout_seconds=3600)
def holdings_freshness() -> dict[str, int]:
    """List the registering libraries whose holdings stand still to the consortium; show holdings as registered."""
    found = check_freshness()
    shown = show_as_registered()
    send_notices()
    return dict(found + shown)
