"""A supplier's files through all stages with the landing zone in a bucket: everything ends as it does in a folder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.outcomes import DeliveryState
from schemas.warehouse.raw import raw_record
from tasks.catalogue import row_source
from tasks.catalogue.stages import stage_records
from tasks.landing.s3 import S3Zone
from tasks.marc.iso2709 import split_pieces
from tasks.notices.stages import notify_libraries
from tasks.workplace import Workplace
from tests.landing_zones import BucketKept, FolderKept, KeptZone
from tests.object_store import ObjectStore
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.parcels import Parcel, book, file_name
from tests.warehouse.pipeline import (
    TO_THE_SHELVES,
    catalogue_content,
    everything,
    ingest,
    ledger,
    ledger_facts,
    outcomes,
    preview,
    receive,
    restore,
)
from tests.warehouse.test_killed import LOGIN_PAGE, KilledError, day, planted

INCOMING = "incoming/NORDBOK"


@pytest.fixture
def in_bucket(open_place: OpenPlace, object_store: ObjectStore, bucket_url: str) -> tuple[Workplace, BucketKept]:
    place = open_place(today="2025-03-14", chunk_records=5, landing_url=bucket_url)
    return place, BucketKept(object_store, bucket_url)


def night(place: Workplace, kept: KeptZone, tmp_path: Path) -> dict[str, Any]:
    """A dry run, a night, and what came in again: what it leaves in the warehouse and in the landing zone."""
    name, content = day()
    (tmp_path / name).write_bytes(content)
    previewed = preview("NORDBOK", [place.zone.adopt(tmp_path / name, "NORDBOK")])
    assert kept.everything() == {}, "a dry run leaves nothing"
    for each, its_content in (day(), LOGIN_PAGE):
        kept.drop(f"{INCOMING}/{each}", its_content)
    deliveries = receive.fn("NORDBOK", [each.uri for each in place.zone.waiting("NORDBOK")])
    for stage in TO_THE_SHELVES[:-1]:
        stage(deliveries)
    notify_libraries.fn(deliveries)
    TO_THE_SHELVES[-1](deliveries)
    again = kept.drop(f"{INCOMING}/{file_name('NORDBOK', 59, 'igen')}", content)
    assert ingest("NORDBOK", [again]) == deliveries[:1]
    return {
        "preview": list(previewed.values()),
        "content": catalogue_content(place.warehouse),
        "outcomes": outcomes(place.warehouse),
        "ledger": ledger_facts(place.warehouse),
        "keys": [place.zone.key_of(ledger(place.warehouse, each).uri) for each in deliveries],
        "files": {key: content for key, content in kept.everything().items() if "worklist" not in key},
    }


def test_a_night_in_a_bucket_ends_as_in_a_folder(
    open_place: OpenPlace, in_bucket: tuple[Workplace, BucketKept], tmp_path: Path
) -> None:
    in_folder = open_place(today="2025-03-14", chunk_records=5, landing_url=tmp_path / "landing")
    planted().load(in_folder)
    begun = everything(in_folder.warehouse)
    kept = FolderKept(tmp_path / "landing")
    for key in kept.everything():
        in_folder.zone.delete(in_folder.zone.uri_for(key))
    expected = night(in_folder, kept, tmp_path)
    assert {key.split("/")[0] for key in expected["files"]} == {"archive", "quarantine", "rejects"}
    assert len(expected["files"]) >= 7

    restore(in_folder.warehouse, begun)
    url = f"s3://{in_bucket[1].name}/{in_bucket[1].prefix}"
    place = open_place(today="2025-03-14", chunk_records=5, landing_url=url)
    found = night(place, in_bucket[1], tmp_path)
    assert found == expected
    worklist = place.zone.uri_for("reports/worklist/worklist.html")
    with place.zone.open(worklist) as page:
        assert b"</html>" in page.read()


def test_killed_between_copy_and_delete_the_file_is_taken_once(in_bucket: tuple[Workplace, BucketKept]) -> None:
    place, kept = in_bucket
    content = Parcel().bib(book(10), "N10").holding("NORU").content
    kept.drop(f"{INCOMING}/{file_name('NORDBOK')}", content)
    assert isinstance(place.zone, S3Zone)
    events = place.zone._bucket.client.meta.events

    def kill(**_: object) -> None:
        events.unregister("before-send.s3.DeleteObject", kill)
        raise KilledError

    events.register("before-send.s3.DeleteObject", kill)
    with pytest.raises(KilledError):
        ingest("NORDBOK", [each.uri for each in place.zone.waiting()])
    assert sorted(key.split("/")[0] for key in kept.everything()) == ["archive", "incoming"]
    (delivery,) = ingest("NORDBOK", [each.uri for each in place.zone.waiting()])
    assert ledger(place.warehouse, delivery).state == DeliveryState.SETTLED
    assert list(kept.everything().values()) == [content]
    assert place.zone.waiting() == []


def test_a_file_under_an_unfinished_name_is_left_alone(in_bucket: tuple[Workplace, BucketKept]) -> None:
    place, kept = in_bucket
    kept.drop(f"{INCOMING}/.hidden.mrc", b"half")
    assert place.zone.waiting() == []
    assert f"{INCOMING}/.hidden.mrc" in kept.everything()


def test_a_second_process_reads_a_large_file_of_a_bucket(
    in_bucket: tuple[Workplace, BucketKept], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, kept = in_bucket
    assert place.settings.second_process
    monkeypatch.setattr(row_source, "LARGE_BYTES", 1)
    name, content = day()
    (delivery_id,) = receive.fn("NORDBOK", [kept.drop(f"{INCOMING}/{name}", content)])
    assert stage_records.fn([delivery_id])["deliveries"] == 1
    with place.warehouse.read() as connection:
        rows = connection.execute(
            sa.select(raw_record.c.byte_offset, raw_record.c.content).order_by(raw_record.c.position)
        ).all()
    assert [tuple(row) for row in rows] == [each[:2] for each in split_pieces(io.BytesIO(content))]
