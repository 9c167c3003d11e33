"""Nothing slips between two files, nothing is written over, and a run that was killed has lost nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from config.settings import SAMPLE_REGISTER
from schemas.errors import SamkatError, UsageError
from schemas.marc import data_field
from schemas.warehouse.core import core_bib, core_holding, core_holding_version
from tasks.exports import ledger
from tasks.exports import stages as exports
from tasks.exports.choosing import changed_bibs
from tasks.exports.shelving import archive_old_exports
from tasks.exports.window import Window
from tasks.landing.keys import Area
from tasks.landing.zone import LandingZone
from tasks.warehouse.engine import CATALOGUE_LOCK
from tasks.warehouse.ids import take_id
from tasks.workplace import Workplace
from tests.warehouse.conftest import OpenPlace
from tests.warehouse.export_checks import ALL, ON_SQLITE, SOLB, ZONE, content_of, export_of, send, sent, shown, states
from tests.warehouse.parcels import Export, book
from tests.warehouse.pipeline import everything


def edit(place: Workplace, number: int, word: str) -> None:
    note = data_field("500", "  ", [("a", word)])
    Export().bib(book(number), f"SK{number:02d}", extra=(note,)).load(place, name=f"{word}.mrc")


@pytest.fixture
def catalogue(place: Workplace) -> Workplace:
    """Two bibs, both held in Solberg."""
    Export().bib(book(1), "SK01").holding("SOLB").bib(book(2), "SK02").holding("SOLB").load(place, "full")
    return place


@pytest.fixture
def write_profiles(tmp_path: Path) -> Callable[..., Path]:
    """Writes a register like the sample's, with these export profiles."""

    def write(*profiles: str) -> Path:
        folder = tmp_path / "register"
        shutil.copytree(SAMPLE_REGISTER, folder)
        text = "\n".join(f"[[export_profile]]\n{each}\n" for each in profiles)
        (folder / "export_profiles.toml").write_text(text, encoding="utf-8")
        return folder

    return write


class Killed(BaseException):
    """A process that is gone."""


def killed(*_args: Any, **_kwargs: Any) -> None:
    raise Killed


def bibs_sent(place: Workplace) -> list[str]:
    return [line for line in sent(place) if "bib" in line]


def test_killed_after_the_file_was_put_it_counts_as_sent_and_is_not_sent_again(
    catalogue: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(ledger, "note_delivered", killed)
        with pytest.raises(Killed):
            send(catalogue)
    assert states(catalogue) == ["composed"]
    edit(catalogue, 2, "later")
    assert bibs_sent(catalogue) == ["n bib SK02"]
    assert states(catalogue) == ["delivered", "delivered"]
    names = [each.key.rpartition("/")[2] for each in catalogue.zone.stored(Area.EXPORTS)]
    assert sorted(names) == [
        "solberg.20250314-2.marc", "solberg.20250314-2.marc.manifest.json",
        "solberg.20250314.marc", "solberg.20250314.marc.manifest.json",
    ]  # fmt: skip


@ON_SQLITE
def test_killed_before_the_file_was_put_its_changes_go_out_with_the_next(
    catalogue: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    latin = SOLB.model_copy(update={"charset": "iso8859-1"})
    send(catalogue, latin)
    edit(catalogue, 1, "Łódź")
    put, written = type(catalogue.zone).put, []

    def dying_put(zone: LandingZone, key: str, *args: Any, **kwargs: Any) -> str:
        if key.endswith(".marc"):
            raise Killed
        written.append(key)
        return put(zone, key, *args, **kwargs)

    with monkeypatch.context() as dying:
        dying.setattr(type(catalogue.zone), "put", dying_put)
        with pytest.raises(Killed):
            send(catalogue, latin)
    assert written == ["exports/solberg/solberg.20250314-2.marc.left-out.csv"]
    edit(catalogue, 2, "later")
    row = send(catalogue, latin)
    assert [line for line in shown(catalogue, row) if "bib" in line] == ["n bib SK01", "n bib SK02"]
    assert states(catalogue) == ["delivered", "withdrawn", "delivered"]
    assert row.name == "solberg.20250314-2.marc"


@ON_SQLITE
def test_a_place_without_the_file_moves_no_watermark(catalogue: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    # A store that says yes and keeps nothing: no real one stages that on demand.
    with monkeypatch.context() as lying:
        lying.setattr(type(catalogue.zone), "put", lambda zone, key, *_args, **_kwargs: zone.uri_for(key))
        with pytest.raises(SamkatError, match="not in its place"):
            send(catalogue)
    assert bibs_sent(catalogue) == ["n bib SK01", "n bib SK02"]


def test_a_chunk_that_commits_after_the_snapshot_is_in_the_next_file(catalogue: Workplace) -> None:
    send(catalogue)
    edit(catalogue, 1, "before")
    with catalogue.warehouse.write(CATALOGUE_LOCK) as loading:
        # Its instant is older than that of everything that was committed: a long chunk.
        change = take_id(loading, "change")
        loading.execute(
            sa.update(core_bib)
            .where(core_bib.c.control_number == "SK02")
            .values(change_no=change, updated_at=datetime(2020, 1, 1, tzinfo=UTC))
        )
        composed = export_of(catalogue, SOLB).compose()
        assert (composed.counts["bibs_written"], composed.window.to) == (1, change - 1)
        composed.close()
    edit(catalogue, 1, "and after")
    assert bibs_sent(catalogue) == ["n bib SK01", "n bib SK02"]


def test_every_write_of_bibs_and_holdings_carries_its_own_change_number(catalogue: Workplace) -> None:
    edit(catalogue, 1, "edited")
    Export().bib(book(2), "SK02").holding("SOLB", is_delete=True).load(catalogue, name="gone.mrc")
    with catalogue.warehouse.read() as connection:
        rows = [
            connection.execute(sa.select(table.c.version, table.c.change_no).order_by(table.c.change_no)).all()
            for table in (core_bib, core_holding, core_holding_version)
        ]
    assert [[tuple(row) for row in some] for some in rows] == [
        [(1, 1), (2, 3)],  # bibs: loaded together, then one edited
        [(1, 2), (2, 5)],  # holdings: loaded together, then one deleted (4 was a chunk that changed no bib)
        [(1, 2)],
    ]


@ON_SQLITE
def test_a_dry_run_leaves_nothing_behind(catalogue: Workplace) -> None:
    before = everything(catalogue.warehouse)
    (line,) = exports.preview_files.fn(("solberg",))
    assert (line.state, line.counts["bibs_written"], line.counts["records"]) == ("preview", 2, 4)
    assert everything(catalogue.warehouse) == before
    assert list(catalogue.zone.stored(Area.EXPORTS)) == []
    assert line.bytes == send(catalogue).bytes


@ON_SQLITE
def test_a_name_that_is_taken_is_left_alone(catalogue: Workplace) -> None:
    theirs = catalogue.zone.put("exports/solberg/solberg.20250314.marc", b"somebody else's")
    assert send(catalogue).name == "solberg.20250314-2.marc"
    with catalogue.zone.open(theirs) as stream:
        assert stream.read() == b"somebody else's"


def test_a_past_window_is_sent_again_and_moves_nothing(catalogue: Workplace) -> None:
    started = datetime.now(UTC)
    send(catalogue)
    moments = [datetime.now(UTC)]
    for number, word in ((1, "first"), (2, "second"), (1, "third")):
        edit(catalogue, number, word)
        moments.append(datetime.now(UTC))
    first, second, third = pairwise(moments)

    def window(since: datetime | None, until: datetime | None) -> list[str]:
        return [line[6:] for line in sent(catalogue, since=since, until=until) if "bib" in line]

    # What changed again since is sent as it is now.
    assert window(*first) == ["SK01"]
    assert window(*second) == ["SK02"]
    assert window(*third) == ["SK01"]
    assert window(first[0], second[1]) == ["SK01", "SK02"]
    assert window(started, moments[0]) == []
    assert window(datetime(1970, 1, 1, tzinfo=UTC), None) == ["SK01", "SK02"]
    row = send(catalogue, since=first[0], until=third[1])
    day = f"{moments[0].astimezone(ZONE):%Y%m%d}"
    assert (row.kind, row.name) == ("window", f"solberg.{day}-{day}-5.marc")
    assert bibs_sent(catalogue) == ["n bib SK01", "n bib SK02"]


@ON_SQLITE
def test_the_first_file_may_begin_with_what_comes_later(catalogue: Workplace) -> None:
    profile = SOLB.model_copy(update={"first": "changes"})
    assert send(catalogue, profile).state == "nothing"
    edit(catalogue, 1, "edited")
    assert [line for line in sent(catalogue, profile) if "bib" in line] == ["n bib SK01"]


@ON_SQLITE
def test_a_night_without_changes_may_have_an_empty_file(catalogue: Workplace) -> None:
    profile = SOLB.model_copy(update={"when_nothing": "empty_file"})
    send(catalogue, profile)
    row = send(catalogue, profile)
    assert (row.state, row.bytes, content_of(catalogue, row)) == ("delivered", 0, b"")


@ON_SQLITE
def test_old_files_go_to_the_archive_and_the_ledger_knows(catalogue: Workplace) -> None:
    row = send(catalogue)
    content = content_of(catalogue, row)
    assert archive_old_exports(catalogue.warehouse, catalogue.zone, 90, catalogue.now) == {}
    later = catalogue.now + timedelta(days=91)
    moved = archive_old_exports(catalogue.warehouse, catalogue.zone, 90, later)
    assert moved["files archived"] == 2
    with catalogue.warehouse.read() as connection:
        (uri,) = connection.exec_driver_sql("SELECT uri FROM out_export WHERE uri IS NOT NULL").scalars()
    assert "/archive/exports/solberg/" in uri
    with catalogue.zone.open(uri) as stream:
        assert stream.read() == content


@ON_SQLITE
def test_a_place_of_ones_own_in_a_bucket(catalogue: Workplace, bucket_url: str) -> None:
    profile = SOLB.model_copy(update={"place": bucket_url})
    export = export_of(catalogue, profile)
    (export_id,) = export.run()
    with catalogue.warehouse.read() as connection:
        (row,) = ledger.export_rows(connection, [export_id])
    assert row.uri.startswith("s3://")
    with export.place.open(row.uri) as stream:
        assert len(stream.read()) == row.bytes
    edit(catalogue, 1, "edited")
    assert export_of(catalogue, profile).run() == [2]
    assert len(list(export.place.stored(Area.EXPORTS))) == 4


@ON_SQLITE
def test_one_profile_that_cannot_be_served_stops_no_other(
    open_place: OpenPlace, tmp_path: Path, write_profiles: Callable[..., Path]
) -> None:
    register = write_profiles(
        f'name = "away"\nreceiver = "A"\nlibraries = ["SOLB"]\nplace = "{tmp_path}/not-mounted"',
        'name = "here"\nreceiver = "B"\nlibraries = ["SOLB"]',
        'name = "off"\nreceiver = "C"\nlibraries = ["*"]\nenabled = false',
    )
    place = open_place(today="2025-03-14", register_folder=register)
    Export().bib(book(1), "SK01").holding("SOLB").load(place, "full")
    assert exports.choose_profiles.fn("off", None, None) == ("off",)
    names = exports.choose_profiles.fn(None, None, None)
    assert names == ("away", "here")
    ids = exports.send_files.fn(names)
    with pytest.raises(SamkatError, match=r"away: .*not-mounted.*there is no such folder.*is the drive mounted"):
        exports.summarise_exports.fn(ids)
    with place.warehouse.read() as connection:
        rows = connection.exec_driver_sql("SELECT profile, state, is_watermark FROM out_export ORDER BY 1").all()
    assert [(row[0], row[1], bool(row[2])) for row in rows] == [("away", "failed", False), ("here", "delivered", True)]
    (tmp_path / "not-mounted").mkdir()
    report = exports.summarise_exports.fn(exports.send_files.fn(names))
    assert [(each.profile, each.state, each.counts["bibs_written"]) for each in report.lines] == [
        ("away", "delivered", 1), ("here", "nothing", 0),
    ]  # fmt: skip


@ON_SQLITE
def test_the_changes_of_a_night_are_found_without_walking_the_catalogue(place: Workplace) -> None:
    engine = place.warehouse.engine
    for profile in (SOLB, ALL):
        statement = changed_bibs(profile, Window(5, 9)).compile(engine, compile_kwargs={"literal_binds": True})
        with place.warehouse.read() as connection:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")]
        walked = [line for line in plan if line.startswith("SCAN core_") or "AUTOMATIC" in line]
        assert walked == []


@ON_SQLITE
def test_what_cannot_be_asked_is_said(catalogue: Workplace) -> None:
    with pytest.raises(UsageError, match=r"no export profile has the name 'solbreg'.*known are nordhavet, portal"):
        exports.choose_profiles.fn("solbreg", None, None)
    with pytest.raises(UsageError, match="a past window is for one profile"):
        exports.choose_profiles.fn(None, catalogue.now, None)
    with pytest.raises(UsageError, match="ends before it begins"):
        exports.choose_profiles.fn("solberg", catalogue.now, datetime(2020, 1, 1))
