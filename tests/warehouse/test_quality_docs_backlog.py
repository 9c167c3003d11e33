"""Which deliveries have no Data Docs yet, making those, and when nobody must wait or fail for it; on both engines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import sqlalchemy as sa

from deployments.sample.night import write_night
from schemas.outcomes import DeliveryState
from schemas.warehouse.core import core_plan
from schemas.warehouse.raw import raw_delivery
from tasks.quality import docs_turns
from tasks.quality.docs_backlog import backlog, note_page
from tasks.quality.gate import check_deliveries
from tasks.quality.stages import BUSY, start_data_docs, write_data_docs
from tasks.warehouse.engine import Warehouse
from tasks.workplace import Workplace
from tests.warehouse.pipeline import decide_plan, ingest, land, ledger
from tests.warehouse.quality_samples import DELIVERIES, NOW, register_with, stage, supplier

OpenPlace = Callable[..., Workplace]


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of the sample night, by the word in their names that says what they show."""
    written = write_night(tmp_path_factory.mktemp("night"), 1)
    return {path.name.rsplit("_", 1)[-1].split(".")[0]: path for _, path, _ in written}


def ingested(place: Workplace, file: Path) -> int:
    """A file of the night through the pipeline; returns its delivery."""
    supplier_code = file.parent.name
    (delivery_id,) = ingest(supplier_code, [land(place, supplier_code, file.name, file.read_bytes())])
    return delivery_id


def page_of(place: Workplace, delivery_id: int) -> Path:
    return Path(unquote(urlsplit(ledger(place.warehouse, delivery_id).docs_uri).path))


def test_pages_are_made_after_the_stage_tables_are_cleaned_and_once(place: Workplace, night: dict[str, Path]) -> None:
    held, day, packed = (ingested(place, night[name]) for name in ("utan-isbn", "dagfil", "isbn-inga"))
    assert ledger(place.warehouse, held).state == DeliveryState.HELD
    assert write_data_docs.fn() == Counter({"deliveries": 3, "pages": 2})
    assert page_of(place, day) == page_of(place, packed)
    page = " ".join(page_of(place, held).read_text(encoding="utf-8").split())
    assert "24 pieces, 24 bibs, 8 ISBNs, 0 holdings; every row was judged." in page
    assert "<td>at least 70%</td> <td>33.33%: 8 of 24 bibs</td>" in page
    shared = page_of(place, day).read_text(encoding="utf-8")
    assert "<td>2 of 5 bibs without an ISBN; 3 of 3 ISBNs invalid</td>" in shared
    index = (place.settings.data_docs / "index.html").read_text(encoding="utf-8")
    assert "3 deliveries that have pages" in " ".join(index.split())
    for delivery_id in (held, day, packed):
        assert f'href="{page_of(place, delivery_id).relative_to(place.settings.data_docs)}"' in index
    assert 'class="not-met">Not met: Bibs have an ISBN<' in index
    assert 'class="below">Not met, small: ISBNs are valid<' in index

    before = {delivery_id: page_of(place, delivery_id) for delivery_id in (held, day, packed)}
    assert +write_data_docs.fn() == Counter()
    with place.warehouse.read() as connection:
        plan = connection.execute(sa.select(core_plan.c.plan_hash)).scalar_one()
    decide_plan(plan, "approve")
    assert ledger(place.warehouse, held).state == DeliveryState.SETTLED
    assert {delivery_id: page_of(place, delivery_id) for delivery_id in before} == before


def judged(warehouse: Warehouse, name: str, **values: object) -> int:
    delivery_id = stage(warehouse, DELIVERIES["mixed"], name)
    of = supplier()
    with warehouse.write() as connection:
        check_deliveries(connection, [delivery_id], of, register_with(of))
        connection.execute(
            sa.update(raw_delivery)
            .where(raw_delivery.c.delivery_id == delivery_id)
            .values(**{"state": DeliveryState.SETTLED, **values})
        )
    return delivery_id


def test_the_backlog_is_what_was_judged_is_done_with_and_has_no_page(warehouse: Warehouse) -> None:
    settled = judged(warehouse, "settled.mrc")
    held = judged(warehouse, "held.mrc", state=DeliveryState.HELD)
    loaded = judged(warehouse, "loaded.mrc", state=DeliveryState.LOADED)
    rejected = judged(warehouse, "rejected.mrc", state=DeliveryState.REJECTED)
    judged(warehouse, "under way.mrc", state=DeliveryState.MATCHED)
    judged(warehouse, "reverted.mrc", state=DeliveryState.REVERTED)
    judged(warehouse, "dry run.mrc", is_preview=True)
    judged(warehouse, "has one.mrc", docs_uri="file:///page.html")
    stage(warehouse, DELIVERIES["mixed"], "not judged.mrc", state=DeliveryState.SETTLED)
    with warehouse.read() as connection:
        found = backlog(connection, 10)
    assert list(found.judged) == [settled, held, loaded, rejected]
    assert found.left == 0


def test_the_oldest_come_first_and_what_is_left_is_counted(warehouse: Warehouse) -> None:
    days = (3, 1, 2, 0)
    ids = [judged(warehouse, f"{day}.mrc", received_at=NOW + timedelta(days=day)) for day in days]
    with warehouse.read() as connection:
        found = backlog(connection, 3)
    assert list(found.judged) == [ids[3], ids[1], ids[2]]
    assert found.left == 1


def test_a_page_about_an_earlier_judgement_is_not_noted(warehouse: Warehouse) -> None:
    delivery_id = judged(warehouse, "day.mrc")
    with warehouse.write() as connection:
        text = backlog(connection, 1).judged[delivery_id]
        assert not note_page(connection, delivery_id, text.replace("0.95", "0.5"), "file:///early.html")
        assert note_page(connection, delivery_id, text, "file:///page.html")
    assert ledger(warehouse, delivery_id).docs_uri == "file:///page.html"


def test_what_cannot_be_made_is_counted_and_logged_and_stays_in_the_backlog(
    place: Workplace, caplog: pytest.LogCaptureFixture
) -> None:
    delivery_id = judged(place.warehouse, "day.mrc")
    place.settings.data_docs.mkdir(parents=True)
    (place.settings.data_docs / "NORDBOK").write_text("in the way")
    assert write_data_docs.fn() == Counter({"problems": 1, "without a page": 1})
    assert "data-docs/NORDBOK/" in caplog.text
    assert "(the load is not affected)" in caplog.text
    assert ledger(place.warehouse, delivery_id).docs_uri is None


def test_a_second_run_leaves_it_to_the_first_and_says_so(place: Workplace) -> None:
    delivery_id = judged(place.warehouse, "day.mrc")
    with docs_turns.at_work(place.settings.data_docs) as is_our_turn:
        assert is_our_turn
        assert write_data_docs.fn() == Counter({BUSY: 1})
    assert ledger(place.warehouse, delivery_id).docs_uri is None


def test_the_last_step_of_a_run_never_fails_it(open_place: OpenPlace, caplog: pytest.LogCaptureFixture) -> None:
    delivery_id = judged(open_place().warehouse, "day.mrc")
    for mode in ("wait", "background"):
        place = open_place(data_docs_mode=mode)
        place.settings.data_docs.write_text("in the way")
        assert start_data_docs.fn([delivery_id]) == Counter(problems=1)
        assert "the Data Docs are left to a later run: " in caplog.text
        place.settings.data_docs.unlink()
        caplog.clear()


def test_the_last_step_of_a_run_does_nothing_where_nothing_is_wanted(open_place: OpenPlace) -> None:
    warehouse = open_place().warehouse
    judged(warehouse, "of another run.mrc")
    has_one = judged(warehouse, "has one.mrc", docs_uri="file:///page.html")
    without = judged(warehouse, "has none.mrc")
    assert start_data_docs.fn([without]) == Counter()
    for mode in ("wait", "background"):
        place = open_place(data_docs_mode=mode)
        assert start_data_docs.fn([has_one]) == start_data_docs.fn([]) == Counter()
    assert not place.settings.data_docs.exists()
