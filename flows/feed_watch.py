"""What was expected and did not come is told, once a day."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.landing.stages import check_feeds
from tasks.notices.stages import notify_feeds, send_notices


@pipeline(name="feed-watch", run_name="feed-watch", timeout_seconds=900)
def feed_watch() -> dict[str, int]:
    """Look whether each supplier delivered in its rhythm; tell the operator of what is missing, stale or too small."""
    found = check_feeds()
    notify_feeds()
    send_notices()
    return dict(found)
