"""An object store for tests: `rclone serve s3` on loopback, a real server that speaks S3 over files in a folder.

It knows no conditional writes and no copies in parts: what Samkat does on such a store is proved with it. What it does
on one that has them is proved with moto's server (`test_landing_s3_conditions.py`).
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ACCESS_KEY = "samkat-test"
SECRET_KEY = "of-no-use-elsewhere"
START_SECONDS = 30


def free_port() -> int:
    """A port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client_environment(endpoint: str) -> dict[str, str]:
    """The variables that lead every AWS client of a process to this store, and to nothing of the machine's own."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": "eu-north-1",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def read_descriptions_once() -> None:
    """Let botocore keep the descriptions of AWS's services for the process; it parses megabytes for every session."""
    from botocore.loaders import JSONFileLoader

    load, kept = JSONFileLoader.load_file, dict[str, Any]()

    def load_file(self: JSONFileLoader, file_path: str) -> Any:
        if file_path not in kept:
            kept[file_path] = load(self, file_path)
        return kept[file_path]

    JSONFileLoader.load_file = load_file  # type: ignore[method-assign]


class ObjectStore:
    """A server over the files in `folder`; each bucket is a folder in it. It keeps its port when it starts again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._port = free_port()
        self._server: subprocess.Popen[bytes] | None = None
        self._client: S3Client | None = None
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self.environment = client_environment(self.endpoint)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        program = shutil.which("rclone") or str(Path(sys.executable).with_name("rclone"))
        address = ["--addr", f"127.0.0.1:{self._port}", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"]
        self._server = subprocess.Popen(
            [program, "serve", "s3", *address, "--config", "/dev/null", str(self.folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self._server.poll() is not None:
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server; what it stored stays."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(timeout=30)
            self._server = None

    def client(self) -> S3Client:
        """A plain client, to do what senders and people do past the landing zone."""
        self._client = self._client or client_of(self.environment)
        return self._client

    def new_bucket(self) -> str:
        """Make a bucket and return its name."""
        name = f"samkat-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name


def client_of(environment: dict[str, str]) -> S3Client:
    """A plain S3 client for the store that `environment` leads to."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
