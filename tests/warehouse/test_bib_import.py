"""A member's records from another base: planned, approved by hash, loaded, undone; nothing is loaded unasked."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from config.settings import SAMPLE_REGISTER
from deployments.sample.encoding import iso2709
from deployments.sample.records import Cataloguing, Line, bib_record
from schemas.errors import UsageError
from schemas.marc import Field, data_field
from schemas.outcomes import DeliveryState
from schemas.warehouse.core import core_outcome, core_plan
from schemas.warehouse.imports import raw_import
from schemas.warehouse.stage import stage_preview
from tasks.catalogue import stages as catalogue
from tasks.imports.stages import plan_imports, read_by_profile
from tasks.landing.stages import receive_import
from tasks.notices.stages import notify_libraries, notify_reverted
from tasks.warehouse.all_tables import metadata
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.export_checks import ON_SQLITE
from tests.warehouse.notices_night import notices
from tests.warehouse.parcels import Export, Parcel, book
from tests.warehouse.pipeline import TO_THE_SHELVES, catalogue_content, everything, ingest, ledger, outcomes, revert

KOHA = "solberg-koha"
BEFORE_THE_PLAN, AFTER_IT = TO_THE_SHELVES[:3], TO_THE_SHELVES[3:]
DECIDED = ("position", "part", "record_type", "outcome", "rule", "reason", "sigel")


def item(branch: str, mark: str, **more: str) -> Field:
    """An item of Koha."""
    return data_field("952", "  ", [("a", branch), ("o", mark), *more.items()])


def koha(serial: int, *items: Field, level: str = "7") -> bytes:
    """The `serial`-th book as that Koha has it, with its items."""
    by = Cataloguing(str(serial), prefix="", level=level, agency="SOLBERG", extra=items, is_thorough=False)
    record = bib_record(book(serial), by)
    record.all_fields = [each for each in record.all_fields if each.tag != "003"]
    return iso2709(record)


def hand(place: Workplace, content: bytes, name: str = "koha.mrc", profile: str = KOHA) -> str:
    """Hand a file in as `samkat import` does; returns its URI."""
    return place.zone.put(f"handed/{profile}/{name}", content, overwrite=True)


def plan(uris: Sequence[str] = (), *, profile: str = KOHA, again: bool = False, dry_run: bool = False) -> list[int]:
    """A run of `bib-import` up to its plan, or of a dry run; returns the deliveries."""
    deliveries = receive_import.fn(profile, list(uris), again=again, dry_run=dry_run)
    read_by_profile.fn(profile, deliveries, dry_run=dry_run)
    for stage in BEFORE_THE_PLAN:
        stage(deliveries)
    plan_imports.fn(profile, deliveries, dry_run=dry_run)
    return deliveries


def run(uris: Sequence[str] = (), *, profile: str = KOHA, again: bool = False) -> list[int]:
    """A whole run of `bib-import`."""
    deliveries = plan(uris, profile=profile, again=again)
    for stage in AFTER_IT:
        stage(deliveries)
    return deliveries


def decide(plan_hash: str, decision: str = "approve") -> catalogue.Carried:
    """A run of `plan-decide`."""
    decided = catalogue.decide_plan.fn(plan_hash, decision, "Bo Alm", None)
    assert catalogue.apply_plan.fn(decided).said == {}
    for profile in decided.imports_held:
        run(profile=profile)
    return decided


def held_hash(place: Workplace) -> str:
    with place.warehouse.read() as connection:
        return str(connection.execute(sa.select(core_plan.c.plan_hash).where(core_plan.c.state == "held")).scalar_one())


def noted(place: Workplace, delivery: int) -> sa.Row[Any]:
    with place.warehouse.read() as connection:
        return connection.execute(sa.select(raw_import).where(raw_import.c.delivery_id == delivery)).one()


def core(place: Workplace) -> dict[str, list[Any]]:
    outside = [table.name for table in metadata.sorted_tables if not table.name.startswith("core_")]
    return everything(place.warehouse, but=[*outside, "core_counter"])


def decided_rows(place: Workplace, table: sa.Table, delivery: int) -> list[tuple[Any, ...]]:
    statement = sa.select(*(table.c[name] for name in DECIDED)).where(table.c.delivery_id == delivery)
    if table is core_outcome:
        statement = statement.where(core_outcome.c.is_latest)
    with place.warehouse.read() as connection:
        return sorted((tuple(row) for row in connection.execute(statement)), key=repr)


def counts(place: Workplace, delivery: int) -> dict[str, int]:
    """What the ledger counts, without what is nought."""
    row = ledger(place.warehouse, delivery)._mapping
    names = [name for name in row if name.startswith(("bibs_", "holdings_", "records_"))]
    return {name: row[name] for name in names if row[name]}


@pytest.fixture
def stocked(place: Workplace) -> Workplace:
    """Two books of the base are in the catalogue, one with a supplier's line and one with the library's own."""
    Export().bib(book(1), "SK01").holding("SOLB", Line("Magasin")).bib(book(2), "SK02", level="5").load(place)
    ingest("NORDBOK", [Parcel().bib(book(3), "N3").holding("SOLB", "Hc").land(place)])
    return place


BASE = (
    koha(1, item("MAIN", "Hc Berg"), item("MAIN", "Hc Berg"))
    + koha(2, item("SCHOOL", "Hcf"), level="3")
    + koha(3, item("MAIN", "Hc/u"), item("BUS", "Hc"))
    + koha(4, item("MAIN", "Hcd"), item("MAIN", "Hcd", **{"0": "1"}))
    + b"00500nam a22 no record at all\x1d"
    + koha(5)
)
SAID = {
    "bibs_created": 2, "bibs_kept": 3,
    "holdings_created": 2, "holdings_updated": 2, "holdings_refused": 1,
}  # fmt: skip


def test_a_base_is_planned_approved_loaded_and_taken_back(stocked: Workplace) -> None:
    place = stocked
    before, rows_before = catalogue_content(place.warehouse), core(place)
    uri = hand(place, BASE)

    (seen,) = plan([uri], dry_run=True)
    assert core(place) == rows_before
    assert orjson.loads(noted(place, seen).planned)["counts"] == SAID
    previewed = decided_rows(place, stage_preview, seen)

    (delivery,) = run([uri])
    row = ledger(place.warehouse, delivery)
    assert row.state == DeliveryState.HELD
    assert row.hold_reason == (
        f"the import waits for approval (plan {held_hash(place)[:12]}): bibs: 2 created, 3 kept;"
        " holdings: 2 created, 2 updated, 1 refused"
    )
    assert catalogue_content(place.warehouse) == before
    assert decided_rows(place, stage_preview, delivery) == previewed

    assert decide(held_hash(place)[:12]).imports_held == (KOHA,)
    assert ledger(place.warehouse, delivery).state == DeliveryState.SETTLED
    assert counts(place, delivery) == SAID | {
        "bibs_read": 5, "holdings_read": 5, "records_read": 5, "records_unreadable": 1,
    }  # fmt: skip
    assert decided_rows(place, core_outcome, delivery) == previewed

    loaded = everything(place.warehouse, but=["raw_delivery_name", "core_counter"])
    assert run([hand(place, BASE, "again.mrc")]) == [delivery]
    assert everything(place.warehouse, but=["raw_delivery_name", "core_counter"]) == loaded

    report = revert(delivery)
    assert (report["bibs"], report["holdings"], report["survivors"]) == (2, 4, [])
    assert catalogue_content(place.warehouse) == before
    assert revert(delivery)["was_reverted"]

    (anew,) = (each for each in run([hand(place, BASE)], again=True) if each != delivery)
    assert ledger(place.warehouse, anew).state == DeliveryState.HELD


def test_those_who_are_told_of_an_import_hear_of_no_supplier(stocked: Workplace) -> None:
    place = stocked
    (refused,) = run([hand(place, koha(1, item("MAIN", "Hc")), "refused.mrc")])
    decide(held_hash(place), "reject")
    (delivery,) = run([hand(place, BASE)])
    catalogue.apply_plan.fn(catalogue.decide_plan.fn(held_hash(place), "approve", "Bo Alm", None))
    plan()
    for stage in AFTER_IT[:-1]:
        stage([delivery])
    notify_libraries.fn([refused, delivery])
    catalogue.settle.fn([delivery])
    revert(delivery)
    notify_reverted.fn(delivery)
    told = [each for each in notices(place.warehouse) if each.kind in ("digest", "rejects", "correction")]
    assert {each.kind for each in told} == {"digest", "rejects", "correction"}
    words = re.compile("supplier|leverant", re.IGNORECASE)
    assert [each.subject for each in told if words.search(f"{each.subject} {each.body_text} {each.body_html}")] == []


@ON_SQLITE
def test_the_samples_say_what_changes_in_the_record_and_on_the_shelf(stocked: Workplace) -> None:
    (delivery,) = run([hand(stocked, BASE)])
    samples = orjson.loads(noted(stocked, delivery).samples)
    assert [(each["position"], each["outcome"], each["bib"]) for each in samples][:3] == [
        (4, "created", ""), (6, "created", ""), (1, "kept", "SK01"),
    ]  # fmt: skip
    first = samples[0]
    assert "952 goes: $aMAIN $oHcd" in first["taken"]
    assert "035 is new: $a(SOLBKOHA)4" in first["taken"]
    assert (first["becomes"], first["holdings"]) == ([], ["SOLB: created, Hcd"])
    assert samples[4]["holdings"] == ["SOLB: updated, Hc/u", "BUS: refused, Hc (no library has the sigel BUS)"]


@ON_SQLITE
def test_a_rejected_plan_rejects_every_record_and_the_file_may_come_again(place: Workplace) -> None:
    (delivery,) = run([hand(place, koha(1, item("MAIN", "Hc")))])
    decide(held_hash(place), "reject")
    row = ledger(place.warehouse, delivery)
    assert (row.state, row.hold_reason) == (DeliveryState.REJECTED, "Bo Alm has rejected the import")
    assert [each[4:7] for each in outcomes(place.warehouse)] == [
        ("bib", "rejected", "delivery_rejected"), ("holding", "rejected", "delivery_rejected"),
    ]  # fmt: skip
    (anew,) = run([hand(place, koha(1, item("MAIN", "Hc")))], again=True)
    assert anew != delivery
    assert ledger(place.warehouse, anew).state == DeliveryState.HELD


def test_an_approval_does_not_cover_what_has_changed_since(place: Workplace) -> None:
    (delivery,) = run([hand(place, koha(1, item("MAIN", "Hc")))])
    first = held_hash(place)
    Export().bib(book(1), "SK01").load(place)  # the plan said that it would be created
    decide(first)
    row = ledger(place.warehouse, delivery)
    assert row.state == DeliveryState.HELD
    assert "the catalogue has changed since the approval; bibs: 1 kept; holdings: 1 created" in row.hold_reason
    second = held_hash(place)
    assert second != first
    with pytest.raises(UsageError, match="out of date"):
        decide(first)
    decide(second)
    assert counts(place, delivery)["bibs_kept"] == 1


@ON_SQLITE
def test_what_changes_nothing_of_the_plan_needs_no_second_approval(place: Workplace) -> None:
    (delivery,) = run([hand(place, koha(1, item("MAIN", "Hc")))])
    Export().bib(book(9), "SK09").load(place)
    decide(held_hash(place))
    assert ledger(place.warehouse, delivery).state == DeliveryState.SETTLED


@ON_SQLITE
def test_a_held_file_waits_unchanged_while_another_one_of_its_profile_comes(place: Workplace) -> None:
    (first,) = run([hand(place, koha(1, item("MAIN", "Hc")))])
    before = noted(place, first)
    second, same = run([hand(place, koha(2, item("MAIN", "Hc")), "second.mrc")])
    assert (same, noted(place, first)) == (first, before)
    assert {ledger(place.warehouse, each).state for each in (first, second)} == {DeliveryState.HELD}


def own_register(tmp_path: Path, old: str = "", new: str = "") -> Path:
    """The sample's register with something else in its import profiles."""
    folder = tmp_path / "register"
    shutil.copytree(SAMPLE_REGISTER, folder, dirs_exist_ok=True)
    file = folder / "import_profiles.toml"
    text = (SAMPLE_REGISTER / "import_profiles.toml").read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    return folder


def test_a_profile_that_changes_reads_a_held_file_anew(open_place: OpenPlace, tmp_path: Path) -> None:
    place = open_place(today="2025-03-14", register_folder=own_register(tmp_path))
    (delivery,) = run([hand(place, koha(1, item("MAIN", "Hc")))])
    first = held_hash(place)
    place = open_place(
        today="2025-03-15", register_folder=own_register(tmp_path, 'MAIN = "SOLB", SCHOOL = "SOLG"', 'MAIN = "SOLG"')
    )
    waiting = everything(place.warehouse, but=["raw_delivery_name", "core_counter"])
    assert plan([hand(place, koha(1, item("MAIN", "Hc")))], dry_run=True) == [delivery]
    assert everything(place.warehouse, but=["raw_delivery_name", "core_counter"]) == waiting
    run()
    assert held_hash(place) != first
    decide(held_hash(place))
    assert [each[7] for each in outcomes(place.warehouse)] == [None, "SOLG"]
    assert ledger(place.warehouse, delivery).state == DeliveryState.SETTLED


@ON_SQLITE
@pytest.mark.parametrize(
    ("create", "said"),
    [
        ("with_number", {"bibs_created": 1, "bibs_kept": 1, "bibs_rejected": 1}),
        ("none", {"bibs_kept": 1, "bibs_rejected": 2}),
    ],
)
def test_the_profile_says_which_missing_bibs_are_made(
    open_place: OpenPlace, tmp_path: Path, create: str, said: dict[str, int]
) -> None:
    register = own_register(tmp_path, 'create = "with_number"', f'create = "{create}"')
    place = open_place(today="2025-03-14", register_folder=register)
    Export().bib(book(1), "SK01").load(place)
    numberless = bib_record(book(8, numbers=()), Cataloguing("8", prefix="", level="7", is_thorough=False))
    (delivery,) = run([hand(place, koha(1) + koha(2) + iso2709(numberless))])
    decide(held_hash(place))
    assert {name: number for name, number in counts(place, delivery).items() if name.startswith("bibs_")} == said | {
        "bibs_read": 3
    }


@ON_SQLITE
def test_an_overlay_shows_the_bib_before_and_after_and_is_undone(open_place: OpenPlace, tmp_path: Path) -> None:
    place = open_place(today="2025-03-14", register_folder=own_register(tmp_path, "overlay = false", "overlay = true"))
    Export().bib(book(1), "SK01", level="5").load(place)
    before = catalogue_content(place.warehouse)
    (delivery,) = run([hand(place, koha(1, level="3"))])
    (sample,) = orjson.loads(noted(place, delivery).samples)
    assert (sample["outcome"], sample["bib"]) == ("replaced", "SK01")
    assert "leader, level: '5' becomes '3'" in sample["becomes"]
    decide(held_hash(place))
    assert counts(place, delivery)["bibs_replaced"] == 1
    assert catalogue_content(place.warehouse) != before
    revert(delivery)
    assert catalogue_content(place.warehouse) == before


def test_a_run_killed_while_it_loads_goes_on_without_asking_again(open_place: OpenPlace) -> None:
    place = open_place(today="2025-03-14", chunk_records=2)
    (delivery,) = run([hand(place, b"".join(koha(each, item("MAIN", "Hc")) for each in range(20, 26)))])
    decided = catalogue.decide_plan.fn(held_hash(place), "approve", "Bo Alm", None)
    plan()
    catalogue.load_bibs.fn([delivery])  # and no further
    assert decided.imports_held == (KOHA,)
    run()
    assert ledger(place.warehouse, delivery).state == DeliveryState.SETTLED
    assert (counts(place, delivery)["bibs_created"], counts(place, delivery)["holdings_created"]) == (6, 6)


@ON_SQLITE
def test_a_base_that_is_below_its_limits_says_so_in_the_plan_and_is_held_once(place: Workplace) -> None:
    poor = [bib_record(book(each, numbers=()), Cataloguing(str(each), prefix="")) for each in range(40, 64)]
    (delivery,) = run([hand(place, b"".join(iso2709(each) for each in poor))])
    row = ledger(place.warehouse, delivery)
    assert row.hold_reason.endswith(
        "below the profile's limits: 100% of 24 bibs have no ISBN (020 $a); the limit for solberg-koha is 50%"
    )
    with place.warehouse.read() as connection:
        assert connection.execute(sa.select(core_plan.c["class"])).scalars().all() == ["import"]
    decide(held_hash(place))
    assert counts(place, delivery)["bibs_rejected"] == 24  # none has a number


@ON_SQLITE
def test_an_unknown_profile_is_told_with_the_known_ones(place: Workplace) -> None:
    with pytest.raises(UsageError, match="known are havn-danmarc, solberg-koha"):
        plan(profile="solberg")
