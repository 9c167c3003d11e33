"""The sample night, told: a digest a library and supplier, rejects to suppliers, the worklist, the operator's mails."""

from __future__ import annotations

import csv
import io
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from deployments.sample.catalogue import write_catalogue
from deployments.sample.night import write_night
from tasks.notices.stages import notify_libraries, send_notices, send_worklist
from tasks.warehouse.migrate import migrate
from tasks.workplace import Workplace, workplace
from tests.warehouse.notices_night import attached, emails, html_of, notices, sweep_and_tell, text_of
from tests.warehouse.pipeline import load_catalogue

pytestmark = pytest.mark.xdist_group("notices-night")
"""The night is made once an engine: by one worker, not by each."""
SEED, BIBS = 1, 300
LANGUAGES = {"sv": {"SOLB", "LUNV", "NORU", "SOLG", "GRAN", "OSTA"}, "nb": {"FJOR", "FJVG"}, "da": {"HAVN"}}


@pytest.fixture(scope="module")
def database_of_module(postgresql_url: str) -> Iterator[str]:
    """A PostgreSQL database that all tests of this module share."""
    name = f"samkat_{uuid.uuid4().hex[:12]}"
    server = sa.make_url(postgresql_url).set(drivername="postgresql+psycopg")
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield server.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    admin.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """The workplace after the night: everything loaded, told, queued and sent as .eml files. Tests only look."""
    folder = tmp_path_factory.mktemp("night")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SAMKAT_HOME", str(folder / "home"))
        environment.setenv("SAMKAT_TODAY", "2025-03-14")
        if request.param == "postgresql":
            environment.setenv("SAMKAT_WAREHOUSE_URL", request.getfixturevalue("database_of_module"))
        place = workplace()
        migrate(place.warehouse)
        place.zone.prepare([supplier.code for supplier in place.register.suppliers])
        load_catalogue(place, write_catalogue(folder / "catalogue", SEED, BIBS))
        write_night(Path(place.settings.landing_url) / "incoming", SEED)
        sweep_and_tell(place)
        send_worklist.fn()
        send_notices.fn()
        yield place
        place.warehouse.dispose()


def holdings_by_library(place: Workplace) -> dict[tuple[str, str], int]:
    """Holdings of the night by (supplier, sigel), counted without the notices' own queries."""
    with place.warehouse.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT d.sender, r.sigel, COUNT(*) FROM out_record r JOIN out_delivery d ON d.delivery_id = r.delivery_id"
            " WHERE d.kind = 'supplier' AND r.record_type = 'holding' AND r.outcome IS NOT NULL AND r.sigel IS NOT NULL"
            " GROUP BY d.sender, r.sigel"
        )
        return {(sender, sigel): number for sender, sigel, number in rows}


def test_every_library_gets_one_digest_a_supplier_that_counts_all_its_holdings(told: Workplace) -> None:
    counted = holdings_by_library(told)
    known = {key: number for key, number in counted.items() if key[1] in told.register.library_by_sigel}
    digests = notices(told.warehouse, kind="digest")
    suppliers = {supplier.name: supplier.code for supplier in told.register.suppliers}
    libraries = {library.contact: library.sigel for library in told.register.libraries}
    said = {}
    for row in digests:
        (supplier,) = [code for name, code in suppliers.items() if name in row.subject]
        key = (supplier, libraries[row.recipient])
        assert key not in said
        said[key] = int(row.subject.split()[0])
    assert said == known
    assert len(digests) == len(known) == 21
    assert {sigel for _, sigel in counted if sigel} - {sigel for _, sigel in known} == {"XXXX"}


def test_each_library_reads_its_own_language(told: Workplace) -> None:
    libraries = {library.contact: library.sigel for library in told.register.libraries}
    for row in notices(told.warehouse, kind="digest"):
        sigel = libraries[row.recipient]
        expected = next((code for code, sigels in LANGUAGES.items() if sigel in sigels), "en")
        assert (sigel, row.language) == (sigel, expected)


def test_every_message_is_sent_once_and_the_outbox_folder_holds_it(told: Workplace) -> None:
    rows = notices(told.warehouse)
    assert {(row.state, row.attempts) for row in rows} == {("sent", 1)}
    assert sorted(row.message_id for row in rows) == sorted(str(each["Message-ID"]) for each in emails(told))
    assert {row.kind: 0 for row in rows}.keys() == {"digest", "rejects", "held", "worklist"}


def test_telling_again_queues_nothing_and_sending_again_sends_nothing(told: Workplace) -> None:
    before = len(notices(told.warehouse))
    with told.warehouse.read() as connection:
        deliveries = list(connection.exec_driver_sql("SELECT delivery_id FROM out_delivery").scalars())
    assert notify_libraries.fn(deliveries) == {"cases": reviews(told)}
    assert send_worklist.fn() == {"cases": reviews(told)}
    assert not send_notices.fn()
    assert len(notices(told.warehouse)) == before


def test_nobody_is_told_of_the_catalogue_itself(told: Workplace) -> None:
    with told.warehouse.read() as connection:
        told_of = connection.exec_driver_sql(
            "SELECT COUNT(*) FROM raw_progress p JOIN raw_delivery d ON d.delivery_id = p.delivery_id"
            " WHERE p.stage = 'notify' AND d.kind = 'catalogue'"
        ).scalar_one()
    assert told_of == 0


def test_suppliers_hear_of_rejects_only_when_there_are_some(told: Workplace) -> None:
    suppliers = {supplier.contact: supplier.code for supplier in told.register.suppliers}
    assert {suppliers[row.recipient] for row in notices(told.warehouse, kind="rejects")} == {
        "BOKRING",
        "NORDBOK",
        "EBOKEN",
        "GAMLA",
    }


def test_a_digest_reads_from_what_needs_attention_to_what_went_well(told: Workplace) -> None:
    (email,) = [
        each for each in emails(told) if each["To"] == "medier@solberg.example" and "Nordbok" in each["Subject"]
    ]
    assert re.fullmatch(
        r"\d+ titlar från Nordbok Distribusjon AS: 2 inte inlästa, \d+ väntar \(Solbergs stadsbibliotek\)",
        str(email["Subject"]),
    )
    text, page = text_of(email), html_of(email)
    places = [text.index(each) for each in ("INTE INLÄSTA: FEL I POSTEN (2)", "VÄNTAR PÅ BESLUT (", "TILLAGDA (")]
    assert places == sorted(places)
    assert "kom den 14 mars 2025" in text
    assert "Beståndet kom utan den titel som det hör till." in text
    assert "Titeln liknar en som finns i katalogen, men det är osäkert om de är samma." in text
    assert re.search(r"\* .+ / .+\n  ISBN: 978\d{10}\. Hyllsignum: Hc\.01\n  Titeln är ny i katalogen\.", text)
    assert "NORDBOK_20250314181944_hemlosa.mrc, post 6" in text
    assert '<html lang="sv">' in page
    assert '<th scope="col" align="left">Hyllsignum</th>' in page


def test_a_book_without_a_valid_isbn_stands_under_the_number_that_came(told: Workplace) -> None:
    (email,) = [
        each for each in emails(told) if each["To"] == "medier@solberg.example" and "Nordbok" in each["Subject"]
    ]
    assert "ISBN: 0198526636X. Hyllsignum" in text_of(email)


def test_a_library_hears_of_its_book_in_a_file_that_was_rejected_as_a_whole(told: Workplace) -> None:
    (email,) = [
        each for each in emails(told) if each["To"] == "medier@solberg.example" and "Bokringen" in each["Subject"]
    ]
    assert "3 inte inlästa" in email["Subject"]
    assert "Leverantörens fil var inte som överenskommet, och därför avvisades hela filen." in text_of(email)


def test_a_supplier_gets_its_rejects_as_list_table_and_bytes(told: Workplace) -> None:
    (email,) = [each for each in emails(told) if each["To"] == "marc@nordbok.example"]
    assert str(email["Subject"]) == "1 fil og 10 poster fra Nordbok Distribusjon AS ble ikke godtatt, 14. mars 2025"
    text = text_of(email)
    assert "NORDBOK_20250314183050_tom.mrc, 0 byte" in text
    assert "Filen er tom." in text
    assert "Ikke noe bibliotek i katalogen har denne koden. [unknown_sigel]" in text
    assert "Ingen lesbar bibliografisk post kommer før beholdningen. [no_bib]" in text
    files = attached(email)
    assert list(files) == [
        "rejected-NORDBOK-2025-03-14.csv",
        "rejected-NORDBOK-2025-03-14.mrc",
        "unreadable-NORDBOK-2025-03-14.bin",
    ]
    rows = list(
        csv.DictReader(io.StringIO(files["rejected-NORDBOK-2025-03-14.csv"].decode("utf-8-sig")), delimiter=";")
    )
    assert [(row["file"].split("_")[-1], row["record"], row["error_code"]) for row in rows] == [
        ("nekade.mrc", "3", "unknown_sigel"),
        ("nekade.mrc", "4", "not_a_customer"),
        ("nekade.mrc", "5", "library_not_registered"),
        ("hemlosa.mrc", "1", "no_bib"),
        ("hemlosa.mrc", "3", "holding_unfit"),
        ("hemlosa.mrc", "5", "bib_unfit"),
        ("hemlosa.mrc", "6", "bib_rejected"),
        ("avklippt.mrc", "11", "unreadable"),
        ("avklippt-bib.mrc", "3", "unreadable"),
        ("avklippt-bib.mrc", "4", "no_bib"),
    ]
    for row in rows:
        whole = files[row["attached_in"]]
        start, length = int(row["attached_at_byte"]), int(row["bytes"])
        assert whole[start : start + length] == record_bytes(told, row["file"], int(row["record"]))


def record_bytes(place: Workplace, name: str, position: int) -> bytes:
    with place.warehouse.read() as connection:
        return bytes(
            connection.exec_driver_sql(
                "SELECT r.content FROM raw_record r JOIN raw_delivery d ON d.delivery_id = r.delivery_id"
                f" WHERE d.name = '{name}' AND r.position = {position}"
            ).scalar_one()
        )


def test_files_that_were_rejected_as_a_whole_are_told_in_the_suppliers_language(told: Workplace) -> None:
    (email,) = [each for each in emails(told) if each["To"] == "bibliotek@bokringen.example"]
    text = text_of(email)
    assert "FILER SOM INTE TOGS EMOT (4)" in text
    assert "Filen är varken ISO2709 eller MARCXML.\n  an HTML page (starts `<!DOCTYPE html`), not MARC" in text
    assert (
        "Filnamnet är inte som överenskommet.\n  Döp om filen som överenskommet, till exempel"
        " BOKRING_SOLB_20250314180037_BOKRING25031400001.xml, och skicka den igen." in text
    )
    assert "Filen innehåller inte det som filnamnet lovar.\n  the file name says LUNV, but 852 $b says SOLB" in text


def test_a_supplier_without_agreement_is_told_once_for_the_whole_file(told: Workplace) -> None:
    (email,) = [each for each in emails(told) if each["To"] == "order@gamlabokhandeln.example"]
    assert str(email["Subject"]) == "1 fil från Gamla Bokhandeln i Östanå kunde inte tas emot, 14 mars 2025"
    assert not attached(email)


def test_unreadable_bytes_are_in_quarantine_in_the_reject_files_and_in_the_mail(told: Workplace) -> None:
    with told.warehouse.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT r.delivery_id, d.sender, r.position, r.byte_offset, r.content FROM raw_record r"
            " JOIN raw_delivery d ON d.delivery_id = r.delivery_id"
            " WHERE r.record_type = 'unreadable' AND d.state = 'settled' ORDER BY r.delivery_id"
        ).all()
    assert len(rows) == 4
    mailed = b"".join(
        content for each in emails(told) for name, content in attached(each).items() if name.endswith(".bin")
    )
    landing = Path(told.settings.landing_url)
    for delivery_id, sender, position, byte_offset, content in rows:
        kept = landing / "quarantine" / sender / str(delivery_id)
        assert (kept / f"{position}.bin").read_bytes() == bytes(content)
        assert f"from byte {byte_offset:,}" in (kept / f"{position}.txt").read_text("utf-8")
        assert bytes(content) in (landing / "rejects" / sender / str(delivery_id) / "records.bin").read_bytes()
        assert bytes(content) in mailed


def test_rejects_lie_in_three_forms_where_the_supplier_finds_them(told: Workplace) -> None:
    with told.warehouse.read() as connection:
        delivery_id = connection.exec_driver_sql(
            "SELECT delivery_id FROM raw_delivery WHERE name = 'NORDBOK_20250314181944_hemlosa.mrc'"
        ).scalar_one()
    folder = Path(told.settings.landing_url) / "rejects" / "NORDBOK" / str(delivery_id)
    assert sorted(path.name for path in folder.iterdir()) == ["errors.csv", "list.txt", "records.mrc"]
    rows = list(csv.DictReader(io.StringIO((folder / "errors.csv").read_text("utf-8-sig")), delimiter=";"))
    assert [(row["record"], row["attached_in"]) for row in rows] == [
        ("1", "records.mrc"),
        ("3", "records.mrc"),
        ("5", "records.mrc"),
        ("6", "records.mrc"),
    ]
    assert "4 poster fra Nordbok" not in (folder / "list.txt").read_text("utf-8")  # the subject is the mail's
    assert "Den bibliografiske posten kan ikke legges inn. [bib_unfit]" in (folder / "list.txt").read_text("utf-8")


def reviews(place: Workplace) -> int:
    with place.warehouse.read() as connection:
        return int(connection.exec_driver_sql("SELECT COUNT(*) FROM core_review WHERE state = 'open'").scalar_one())


def test_the_worklist_reaches_its_owner_with_the_table_to_fill_in(told: Workplace) -> None:
    (email,) = [each for each in emails(told) if each["X-Samkat-Notice"] == "worklist"]
    number = reviews(told)
    assert number > 5
    assert email["To"] == "katalogisering@samkatalogen.example"
    assert email["Subject"] == f"{number} titlar att ta ställning till"
    rows = list(csv.DictReader(io.StringIO(attached(email)["worklist.csv"].decode("utf-8-sig")), delimiter=";"))
    assert len(rows) == number
    assert all(row["candidate_1"].startswith("match:") and row["due_on"] == "2025-03-16" for row in rows)
    assert {row["libraries_waiting"] for row in rows} >= {"Solbergs stadsbibliotek (SOLB)"}
    page = html_of(email)
    assert page.count("<h2") == number
    assert "<b>Veto</b> Upplaga: upplagan " in page


def test_the_worklist_lies_in_the_reports_as_page_and_table(told: Workplace) -> None:
    folder = Path(told.settings.landing_url) / "reports" / "worklist"
    assert (folder / "worklist.html").read_text("utf-8").count("<h2") == reviews(told)
    assert len((folder / "worklist.csv").read_text("utf-8-sig").splitlines()) == reviews(told) + 1


def test_the_operator_hears_what_is_held_and_how_to_decide(told: Workplace) -> None:
    held = [each for each in emails(told) if each["X-Samkat-Notice"] == "held"]
    assert {each["To"] for each in held} == {"drift@samkatalogen.example"}
    # In the consortium's language, with the words of the program beside them.
    whole, part = sorted(map(text_of, held), key=lambda text: "quality:isbn" not in text)
    assert "Bibliografiska poster utan ISBN (quality:isbn)" in whole
    assert "Bestånd som skulle tas bort (holding_delete)\n  Antal: 25." in part
    with told.warehouse.read() as connection:
        hashes = connection.exec_driver_sql("SELECT plan_hash FROM out_plan WHERE state = 'held'").scalars().all()
    assert len(hashes) == 2
    assert all(f"samkat plans approve {each}" in whole + part for each in hashes)


def test_no_message_carries_what_could_not_be_shown(told: Workplace) -> None:
    for row in notices(told.warehouse):
        assert "\N{REPLACEMENT CHARACTER}" not in row.body_text
        assert "None" not in row.body_text
        assert row.body_html.rstrip().endswith("</html>")
