"""`local-export` run by Prefect: from a supplier's file to the library's file and its e-mail, and what a run leaves."""

from __future__ import annotations

import email
import email.policy
import io
from datetime import UTC, datetime

import pymarc
import pytest

from flows.local_export import local_export
from flows.supplier_ingest import supplier_ingest
from schemas.errors import UsageError
from tasks.workplace import Workplace
from tests.flows.runs import run
from tests.warehouse.export_checks import ON_SQLITE
from tests.warehouse.parcels import Parcel, book
from tests.warehouse.pipeline import everything

STAGES = ["choose profiles", "send files", "archive exports", "summarise exports"]


def test_a_title_walks_from_the_suppliers_file_to_its_librarys_file_and_its_e_mail(home: Workplace) -> None:
    parcel = Parcel().bib(book(7), "NB7").holding("SOLB", "Hc", "Hc/u").bib(book(8), "NB8").holding("NORU")
    ran = run(supplier_ingest, "NORDBOK", [parcel.land(home)])
    assert [each.state for each in ran.value] == ["settled"]
    title = book(7).title.partition(" :")[0]

    exported = run(local_export)
    assert exported.names("summarise exports") == STAGES
    assert exported.value["profiles delivered"] == 3
    files = {each.profile: each for each in exported.value.lines}
    with home.zone.open(files["solberg"].uri) as stream:
        records = list(pymarc.MARCReader(stream.read(), to_unicode=True))
    bib, holding = (record for record in records if record is not None)
    assert bib.title is not None
    assert title in bib.title
    assert [each["h"] for each in holding.get_fields("852")] == ["Hc", "Hc/u"]
    assert holding["004"].data == bib["001"].data
    assert files["nordhavet"].counts["bibs_written"] == 1
    with home.zone.open(files["portal"].uri) as stream:
        assert len(pymarc.parse_xml_to_array(io.BytesIO(stream.read()))) == 4

    contact = home.register.library_by_sigel["SOLB"].contact
    mails = [
        email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        for file in home.settings.outbox.glob("*.eml")
    ]
    (digest,) = [each for each in mails if contact in str(each["To"])]
    body = digest.get_body(("plain",))
    assert body is not None
    assert title in body.get_content()

    table = exported.artifacts()["exports"]
    assert "| solberg | delivered | `solberg.20250314.marc` | 2 | 1 |" in table
    assert title not in table


@ON_SQLITE
def test_a_run_without_changes_and_a_dry_run_say_so_and_a_wrong_one_ends_in_words(home: Workplace) -> None:
    run(supplier_ingest, "NORDBOK", [Parcel().bib(book(7), "NB7").holding("SOLB").land(home)])
    before = everything(home.warehouse, but=("core_run",))
    previewed = run(local_export, dry_run=True)
    assert {each.profile: each.state for each in previewed.value.lines} == dict.fromkeys(
        ("solberg", "nordhavet", "portal"), "preview"
    )
    assert everything(home.warehouse, but=("core_run", "core_turn")) == {
        name: rows for name, rows in before.items() if name != "core_turn"
    }
    assert run(local_export).value["profiles delivered"] == 2
    assert dict(run(local_export).value) == {"profiles nothing": 3}
    again = run(local_export, "solberg", since=datetime(2020, 1, 1, tzinfo=UTC))
    assert again.value.lines[0].kind == "window"
    with pytest.raises(UsageError, match="no export profile has the name"):
        _ = run(local_export, "solbreg").value
