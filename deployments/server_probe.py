"""Questions to a Prefect server and to ports, without Prefect: does anybody answer, and is it the right one?"""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

from deployments.login import authorization

HOST = "127.0.0.1"


def is_answering(api_url: str) -> bool:
    """Whether anybody answers at a given address; a refusal is an answer too: who may come in is the flow's affair."""
    for attempt in range(3):
        try:
            with urllib.request.urlopen(f"{api_url}/health", timeout=5):
                return True
        except urllib.error.HTTPError:
            return True
        except (OSError, http.client.HTTPException):
            time.sleep(0.3 * (attempt < 2))
    return False


def is_server_of(prefect_home: Path, port: int, login: str | None) -> bool:
    """Whether the Prefect server that keeps its things in `prefect_home` answers at `port` of this machine."""
    asked = urllib.request.Request(f"http://{HOST}:{port}/api/admin/settings", headers=authorization(login))
    # Without the proxies of the environment: the server is on this machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(asked, timeout=5) as answer:
            return bool(json.load(answer).get("home") == str(prefect_home))
    except (OSError, ValueError, AttributeError, http.client.HTTPException):
        return False


def is_free(port: int) -> bool:
    """Whether a server can listen on `port` of this machine."""
    with socket.socket() as probe:
        # As the server does it: a port whose last connections are still dying away counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def any_free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])
