"""Data Docs with the landing zone in a bucket: people find them there, and one that cannot be put there is not lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tasks.quality.stages import write_data_docs
from tasks.workplace import Workplace
from tests.landing_zones import BucketKept
from tests.object_store import ObjectStore
from tests.warehouse.conftest import OpenHome
from tests.warehouse.pipeline import ingest, ledger
from tests.warehouse.test_killed import day

pytestmark = pytest.mark.integration  # Great Expectations runs twice


@pytest.fixture
def in_bucket(
    open_home: OpenHome, object_store: ObjectStore, bucket_url: str, sqlite_template: Path, tmp_path: Path
) -> tuple[Workplace, BucketKept]:
    shutil.copyfile(sqlite_template, tmp_path / "warehouse.db")
    place = open_home(
        f"sqlite:///{tmp_path}/warehouse.db", tmp_path / "home", today="2025-03-14", landing_url=bucket_url
    )
    return place, BucketKept(object_store, bucket_url)


def test_the_pages_are_put_into_the_bucket_and_noted_there(
    in_bucket: tuple[Workplace, BucketKept], object_store: ObjectStore
) -> None:
    place, kept = in_bucket
    name, content = day()
    (delivery,) = ingest("NORDBOK", [kept.drop(f"incoming/NORDBOK/{name}", content)])
    start = place.zone.uri_for("data-docs/index.html").removesuffix("index.html")
    assert place.settings.data_docs_index == f"{start}index.html"

    object_store.folder.joinpath(kept.name, kept.prefix, "data-docs").write_bytes(b"in the way of a folder")
    refused = write_data_docs.fn()
    assert (refused["deliveries"], refused["without a page"]) == (0, 1)
    assert refused["problems"] >= 1
    assert ledger(place.warehouse, delivery).docs_uri is None

    object_store.folder.joinpath(kept.name, kept.prefix, "data-docs").unlink()
    made = write_data_docs.fn()
    assert (made["deliveries"], made["pages"], made["problems"]) == (1, 1, 0)
    uri = ledger(place.warehouse, delivery).docs_uri
    assert uri.startswith(f"{start}NORDBOK/")
    with place.zone.open(uri) as page:
        assert name.encode() in page.read()
    with place.zone.open(place.settings.data_docs_index) as page:
        assert f'href="{uri.removeprefix(start)}"'.encode() in page.read()
    key = f"{kept.prefix}/{place.zone.key_of(uri)}"
    assert kept.client.head_object(Bucket=kept.name, Key=key)["ContentType"] == "text/html; charset=utf-8"
    assert all(
        (place.settings.data_docs / each.removeprefix("data-docs/")).is_file()
        for each in kept.everything()
        if each.startswith("data-docs/")
    )
