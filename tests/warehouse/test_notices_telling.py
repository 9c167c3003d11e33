"""Telling: each delivery once whatever is killed, corrections after an undo, and holds."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from schemas.marc import Field, Record, control_field, data_field
from schemas.outcomes import BibOutcome, HoldingOutcome
from tasks.catalogue.stages import settle
from tasks.landing.stages import receive
from tasks.marc.encode import encode
from tasks.notices import telling
from tasks.notices.digest import compose_library_digest
from tasks.notices.gathering_digests import library_digests
from tasks.notices.gathering_rejects import for_supplier, rejects_of
from tasks.notices.stages import (
    notify_held,
    notify_libraries,
    notify_rejected,
    notify_reverted,
    send_notices,
)
from tasks.workplace import Workplace
from tests.warehouse.notices_night import (
    attached,
    emails,
    ingest_and_tell,
    load_sample_catalogue,
    notices,
    sample,
    text_of,
    to_the_shelves,
)
from tests.warehouse.pipeline import land, preview, revert

TIDELAND = "9789100123451"


def bib(number: str, isbn: str, title: str, *sigels: str) -> bytes:
    """A bib with an embedded 852 for each of `sigels`."""
    return encode(
        Record(
            "00000nam a22000007i 4500",
            [
                control_field("001", number),
                control_field("008", "250101s2024    sw            000 1 swe  "),
                data_field("020", "  ", [("a", isbn)]),
                data_field("100", "1 ", [("a", "Tidvatten, Tove")]),
                data_field("245", "10", [("a", title)]),
                data_field("264", " 1", [("a", "Solberg"), ("b", "Strandförlaget"), ("c", "2024")]),
                *(data_field("852", "  ", [("b", sigel), ("h", "Hc")]) for sigel in sigels),
            ],
        )
    )


def holding(sigel: str, mark: str) -> bytes:
    fields: list[Field] = [
        control_field("001", f"H-{sigel}-{mark}"),
        control_field("008", "2503140u    8   4001uueng0000000"),
        data_field("852", "  ", [("b", sigel), ("h", mark)]),
    ]
    return encode(Record("00000nx  a22000001i 4500", fields))


def nordbok(place: Workplace, time: str, *records: bytes) -> str:
    """Land a file of NORDBOK; `time` orders its files."""
    return land(place, "NORDBOK", f"NORDBOK_20250314{time}_dagfil.mrc", b"".join(records))


def keys(place: Workplace) -> list[str]:
    return [row.dedup_key for row in notices(place.warehouse)]


class TestOnce:
    def test_a_run_that_is_killed_before_it_commits_has_told_nothing_and_tells_all_the_next_time(
        self, place: Workplace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load_sample_catalogue(place)
        deliveries = to_the_shelves("NORDBOK", [sample(place, "NORDBOK", end) for end in ("nekade.mrc", "hyllor.mrc")])
        with monkeypatch.context() as killed:
            killed.setattr(telling, "_mark_told", _die)
            with pytest.raises(KeyboardInterrupt):
                notify_libraries.fn(deliveries)
        assert keys(place) == []
        first = notify_libraries.fn(deliveries)
        assert first["digest"] == 5
        assert first["rejects"] == 1
        assert notify_libraries.fn(deliveries) == {}
        settle.fn(deliveries)
        assert notify_libraries.fn(deliveries) == {}
        assert len(keys(place)) == 6

    def test_a_delivery_that_a_killed_run_left_is_told_with_the_next_one_and_the_others_not_again(
        self, place: Workplace
    ) -> None:
        first = ingest_and_tell("NORDBOK", [nordbok(place, "180000", bib("a1", TIDELAND, "Tidvatten", "SOLB"))])
        left = to_the_shelves("NORDBOK", [nordbok(place, "180100", bib("a2", "9789100123468", "Ebb", "SOLB"))])
        both = ingest_and_tell("NORDBOK", [nordbok(place, "180200", bib("a3", "9789100123475", "Flod", "SOLB"))])
        assert set(first) & set(both) == set()
        assert set(left) < set(both)
        assert [row.subject.split(":")[0] for row in notices(place.warehouse, kind="digest")] == [
            "1 titel från Nordbok Distribusjon AS",
            "2 titlar från Nordbok Distribusjon AS",
        ]
        assert [row.delivery_id for row in notices(place.warehouse)] == [first[0], None]

    def test_two_runs_at_once_tell_once(self, place: Workplace) -> None:
        deliveries = to_the_shelves("NORDBOK", [nordbok(place, "180000", bib("a1", TIDELAND, "Tidvatten", "SOLB"))])
        told: list[Counter[str]] = []
        both = threading.Barrier(2)

        def run() -> None:
            both.wait()
            told.append(notify_libraries.fn(deliveries))

        runs = [threading.Thread(target=run) for _ in range(2)]
        for each in runs:
            each.start()
        for each in runs:
            each.join()
        assert sum(each["digest"] for each in told) == 1
        assert len(keys(place)) == 1

    def test_a_run_that_was_killed_between_queueing_and_sending_sends_the_next_time(self, place: Workplace) -> None:
        ingest_and_tell("NORDBOK", [nordbok(place, "180000", bib("a1", TIDELAND, "Tidvatten", "SOLB"))])
        assert emails(place) == []
        assert send_notices.fn() == {"sent": 1}
        assert [each["To"] for each in emails(place)] == ["medier@solberg.example"]

    def test_the_key_of_a_message_is_made_of_the_deliveries_and_not_of_the_run(self, place: Workplace) -> None:
        record = bib("a1", TIDELAND, "Tidvatten", "SOLB")
        ingest_and_tell("NORDBOK", [nordbok(place, "180000", record)])
        identity = f"NORDBOK/{hashlib.sha256(record).hexdigest()}/0"
        run_key = hashlib.sha256(identity.encode()).hexdigest()[:16]
        assert keys(place) == [f"digest|{run_key}|NORDBOK|SOLB"]

    def test_an_export_of_the_catalogue_is_told_to_nobody(self, place: Workplace) -> None:
        deliveries = load_sample_catalogue(place)
        assert notify_libraries.fn(deliveries) == {}
        assert keys(place) == []


def _die(*_: object) -> None:
    raise KeyboardInterrupt


class TestRejects:
    def test_a_supplier_whose_records_were_all_taken_hears_nothing(self, place: Workplace) -> None:
        ingest_and_tell("NORDBOK", [nordbok(place, "180000", bib("a1", TIDELAND, "Tidvatten", "SOLB"))])
        assert [row.kind for row in notices(place.warehouse)] == ["digest"]
        assert not (Path(place.settings.landing_url) / "rejects" / "NORDBOK").exists()

    def test_several_refused_holdings_of_one_bib_go_back_as_one_record_with_a_remark_for_each(
        self, place: Workplace
    ) -> None:
        record = bib("a1", TIDELAND, "Tidvatten", "SOLB", "XXXX", "FJOR")
        ingest_and_tell("NORDBOK", [nordbok(place, "180000", record)])
        send_notices.fn()
        (email,) = [each for each in emails(place) if each["X-Samkat-Notice"] == "rejects"]
        assert str(email["Subject"]).startswith("1 post fra Nordbok")
        files = attached(email)
        assert files["rejected-NORDBOK-2025-03-14.mrc"] == record
        table = files["rejected-NORDBOK-2025-03-14.csv"].decode("utf-8-sig")
        assert "unknown_sigel" in table
        assert "not_a_customer: Fjordkyst folkebibliotek is not a reported customer of Nordbok" in table

    def test_a_rejected_bib_goes_back_once_with_the_holdings_inside_it(self, place: Workplace) -> None:
        ingest_and_tell("NORDBOK", [nordbok(place, "180000", bib("a1", TIDELAND, "", "SOLB", "LUNV"))])
        (row,) = notices(place.warehouse, kind="rejects")
        assert row.subject.startswith("1 post fra Nordbok")
        assert [row.recipient for row in notices(place.warehouse, kind="digest")] == [
            "inkop@lundviken.example",
            "medier@solberg.example",
        ]

    def test_a_file_rejected_as_a_whole_is_told_once_by_either_stage(self, place: Workplace) -> None:
        uri = land(place, "NORDBOK", "NORDBOK_20250314180000_fel.mrc", b"<!DOCTYPE html><html>log in</html>")
        deliveries = to_the_shelves("NORDBOK", [uri])
        assert notify_rejected.fn(deliveries) == {"rejects": 1}
        assert notify_rejected.fn(deliveries) == {}
        assert notify_libraries.fn(deliveries) == {}
        (row,) = notices(place.warehouse)
        assert "NORDBOK_20250314180000_fel.mrc, 34 byte" in row.body_text
        assert "Filen er verken ISO2709 eller MARCXML." in row.body_text

    def test_a_rejected_file_that_a_killed_run_left_untold_is_told_by_the_next_run(self, place: Workplace) -> None:
        uri = land(place, "NORDBOK", "NORDBOK_20250314180000_fel.mrc", b"<!DOCTYPE html><html>log in</html>")
        to_the_shelves("NORDBOK", [uri])
        ingest_and_tell("NORDBOK", [nordbok(place, "180100", bib("a1", TIDELAND, "Tidvatten", "SOLB"))])
        assert [row.kind for row in notices(place.warehouse)] == ["digest", "rejects"]

    def test_a_dry_run_tells_nobody(self, place: Workplace) -> None:
        uri = land(place, "NORDBOK", "NORDBOK_20250314180000_fel.mrc", b"<!DOCTYPE html><html>log in</html>")
        preview("NORDBOK", [uri])
        with place.warehouse.read() as connection:
            deliveries = list(connection.exec_driver_sql("SELECT delivery_id FROM raw_delivery").scalars())
        assert deliveries
        assert notify_rejected.fn(deliveries) == {}
        assert keys(place) == []

    def test_more_rejects_than_are_told_one_by_one_are_counted(self, place: Workplace) -> None:
        records = [bib(f"a{number}", "", "", "SOLB") for number in range(5)]
        deliveries = to_the_shelves("NORDBOK", [nordbok(place, "180000", *records)])
        with place.warehouse.read() as connection:
            (found,) = rejects_of(connection, place.register, deliveries, max_records=2)
        assert (len(found.records), found.rejected, found.pieces) == (2, 5, 5)
        rejects = for_supplier(place.register, "NORDBOK", [found], run_key="k", run_date=date(2025, 3, 14))
        assert rejects.total() == 5

    def test_a_member_of_a_zip_is_named_with_its_file(self, place: Workplace) -> None:
        load_sample_catalogue(place)
        ingest_and_tell("NORDBOK", [sample(place, "NORDBOK", "packat.zip")])
        assert any("NORDBOK_20250314180838_packat.zip (" in row.body_text for row in notices(place.warehouse))


class TestDigest:
    def test_a_long_digest_lists_what_needs_attention_first_and_counts_everything(self, place: Workplace) -> None:
        records = [bib(f"a{number}", f"97891001234{number}", f"Bok {number}", "SOLB") for number in range(10, 13)]
        records.append(holding("SOLB", "Hc"))
        deliveries = to_the_shelves("NORDBOK", [nordbok(place, "180000", holding("SOLB", "Uh"), *records)])
        with place.warehouse.read() as connection:
            (digest,) = library_digests(
                connection,
                place.register,
                deliveries,
                run_keys={"NORDBOK": "k"},
                run_date=date(2025, 3, 14),
                max_lines=2,
            )
        assert [line.outcome for line in digest.lines] == [HoldingOutcome.REJECTED, HoldingOutcome.CREATED]
        assert digest.lines[0].reason is not None
        assert digest.lines[0].reason.rule == "no_bib"
        assert digest.total() == 5
        assert digest.bib_counts == {BibOutcome.CREATED: 4}
        text = compose_library_digest(digest, "Samkatalogen", "a@samkatalogen.example", max_rows=1).text
        assert "Mejlet visar 1 av 2 titlar." in text
        assert "3 titlar är räknade men visas inte här." in text

    def test_a_holding_behind_something_unreadable_is_not_told_under_the_title_before_it(
        self, place: Workplace
    ) -> None:
        broken = bib("a2", "9789100123468", "Ebb")[:150] + b"\x1d"
        ingest_and_tell(
            "NORDBOK", [nordbok(place, "180000", bib("a1", TIDELAND, "Tidvatten"), broken, holding("VEST", "Hc"))]
        )
        digest, rejects = notices(place.warehouse)
        assert "The holding came without the title it belongs to." in digest.body_text
        assert "Tidvatten" not in digest.body_text + rejects.body_text

    def test_an_unknown_library_gets_no_digest(self, place: Workplace) -> None:
        ingest_and_tell("NORDBOK", [nordbok(place, "180000", bib("a1", TIDELAND, "Tidvatten", "XXXX"))])
        assert [row.kind for row in notices(place.warehouse)] == ["rejects"]


class TestCorrections:
    def test_each_library_hears_what_the_undo_means_for_it_once(self, place: Workplace) -> None:
        records = [bib("a1", TIDELAND, "Tidvatten", "SOLB", "VEST"), bib("a2", "9789100123468", "Ebb", "SOLB")]
        (delivery,) = ingest_and_tell("NORDBOK", [nordbok(place, "180000", *records)])
        revert(delivery)
        assert notify_reverted.fn(delivery) == {"correction": 2}
        assert notify_reverted.fn(delivery) == {}
        revert(delivery)
        assert notify_reverted.fn(delivery) == {}
        vest, solb = sorted(notices(place.warehouse, kind="correction"), key=lambda row: row.language)
        assert (
            vest.subject == "Correction: 1 title from Nordbok Distribusjon AS taken back (Vestmark University Library)"
        )
        assert "NORDBOK_20250314180000_dagfil.mrc" in vest.body_text
        assert "* Tidvatten / Tidvatten, Tove\n  ISBN: 9789100123451. Shelf mark: Hc\n" in vest.body_text
        assert "BORTTAGNA (2)" in solb.body_text
        assert (vest.delivery_id, solb.delivery_id) == (delivery, delivery)

    def test_what_somebody_changed_since_is_told_first_and_as_kept(self, place: Workplace) -> None:
        title = bib("a1", TIDELAND, "Tidvatten")
        (first,) = ingest_and_tell(
            "NORDBOK",
            [nordbok(place, "180000", title, holding("VEST", "Hc"), bib("a2", "9789100123468", "Ebb", "VEST"))],
        )
        ingest_and_tell("NORDBOK", [nordbok(place, "180100", title, holding("VEST", "Hcb"))])
        revert(first)
        assert notify_reverted.fn(first) == {"correction": 1}
        (row,) = notices(place.warehouse, kind="correction")
        kept, removed = row.body_text.index("NOT TAKEN BACK"), row.body_text.index("REMOVED (1)")
        assert kept < row.body_text.index("* Tidvatten") < removed < row.body_text.index("* Ebb")
        assert "The holding was changed after the delivery." in row.body_text

    def test_a_holding_that_was_changed_is_told_as_restored(self, place: Workplace) -> None:
        title = bib("a1", TIDELAND, "Tidvatten")
        ingest_and_tell("NORDBOK", [nordbok(place, "180000", title, holding("VEST", "Hc"))])
        (second,) = ingest_and_tell("NORDBOK", [nordbok(place, "180100", title, holding("VEST", "Hcb"))])
        revert(second)
        notify_reverted.fn(second)
        (row,) = notices(place.warehouse, kind="correction")
        assert "AS BEFORE THE DELIVERY (1)" in row.body_text

    def test_a_library_whose_book_waited_hears_that_it_does_not_come(self, place: Workplace) -> None:
        load_sample_catalogue(place)
        (delivery,) = ingest_and_tell("NORDBOK", [sample(place, "NORDBOK", "samma-isbn.mrc")])
        assert {row.recipient for row in notices(place.warehouse, kind="digest")} == {"inkop@lundviken.example"}
        revert(delivery)
        notify_reverted.fn(delivery)
        (row,) = notices(place.warehouse, kind="correction")
        assert row.recipient == "inkop@lundviken.example"
        assert "BORTTAGNA (" in row.body_text
        assert "Hyllsignum: Hc" in row.body_text

    def test_nobody_is_told_of_a_delivery_that_stands(self, place: Workplace) -> None:
        (delivery,) = ingest_and_tell("NORDBOK", [nordbok(place, "180000", bib("a1", TIDELAND, "Ebb", "SOLB"))])
        assert notify_reverted.fn(delivery) == {}


class TestHolds:
    def test_the_operator_hears_of_a_held_delivery_once_however_often_it_is_looked_at(self, place: Workplace) -> None:
        records = [bib(f"a{number}", "", f"Bok {number}", "SOLB") for number in range(25)]
        deliveries = ingest_and_tell("NORDBOK", [nordbok(place, "180000", *records)])
        assert ingest_and_tell("NORDBOK") == deliveries
        assert notify_held.fn(deliveries) == {}
        (row,) = notices(place.warehouse)
        assert (row.kind, row.recipient, row.delivery_id) == ("held", "drift@samkatalogen.example", deliveries[0])
        assert row.language == "sv"
        assert "Inget i leveransen har lästs in." in row.body_text
        assert "samkat plans approve " in row.body_text


def test_smtp_is_used_where_a_server_is_set_and_a_dead_one_fails_no_run(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliveries = receive.fn("NORDBOK", [nordbok(place, "180000", bib("a1", TIDELAND, "Tidvatten", "SOLB"))])
    assert deliveries
    ingest_and_tell("NORDBOK")
    monkeypatch.setenv("SAMKAT_SMTP_URL", "smtp://127.0.0.1:1")
    assert send_notices.fn() == {"later": 1}
    assert emails(place) == []
    (row,) = notices(place.warehouse)
    assert row.state == "queued"
    assert row.last_error.startswith("no connection to the mail server")
    monkeypatch.delenv("SAMKAT_SMTP_URL")
    assert send_notices.fn() == {"sent": 1}
    assert "Tidvatten" in text_of(emails(place)[0])
