"""Registering libraries have committed themselves to keep their holdings current: are they?"""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.joining.stages import check_freshness
from tasks.notices.stages import send_notices


@pipeline(name="holdings-freshness", run_name="holdings-freshness", timeout_seconds=3600)
def holdings_freshness() -> dict[str, int]:
    """List to the consortium the registering libraries whose holdings have not moved for the months of the register."""
    found = check_freshness()
    send_notices()
    return dict(found)
