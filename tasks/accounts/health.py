"""Is a system well? Its status page is asked before anything goes to it: a run waits rather than fails."""

from __future__ import annotations

from typing import Any

import httpx

from schemas.register.account_rules import TargetHealth


def trouble_of(health: TargetHealth, client: httpx.Client | None = None) -> str:
    """What the status page says is wrong, in words; empty where the system is well."""
    try:
        with client or httpx.Client(follow_redirects=True) as asked:
            answer = asked.get(health.url, timeout=health.timeout_seconds)
    except httpx.HTTPError as error:
        return f"its status page does not answer ({type(error).__name__})"
    if not answer.is_success:
        return f"its status page answers {answer.status_code}"
    if not health.path:
        return ""
    try:
        said = _at(answer.json(), health.path)
    except ValueError:
        return "its status page is not JSON"
    if said is None:
        return f"its status page does not say {health.path}"
    return "" if str(said).lower() in {each.lower() for each in health.good} else f"its status page says {said}"


def _at(document: Any, path: str) -> Any:
    for key in path.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    return document
