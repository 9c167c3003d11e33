"""A handful of persons of a municipality whose library edits in the warehouse: tests of the desk and of erasing."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.summaries import PatronSummary
from tasks.patrons.occasion import Occasion
from tasks.patrons.stages import own_ranks
from tasks.workplace import Workplace
from tests.warehouse.patron_runs import sync
from tests.warehouse.pipeline import land

SOURCE, INSTITUTION = "FJORKOMM", "FJOR"
HEAD = (
    "Løpenr;Lånekort;Gammelt kort;Etternavn;Fornavn;Kallenavn;Type;Enhet;E-post;Mobil;Adresse;Postnr;Poststed;Født;"
    "Målform;Gyldig til;Sperret adresse"
)
ADA = "7001;F200071;;Bruvoll;Ada;;ELEV;Fjordkyst skole;ada.bruvoll@skole.example;;Kaigata 3;6001;Fjordby;03.04.2011;B;;"
BO = "7002;F200072;;Tangnes;Bo;;LAR;Fjordkyst skole;bo.tangnes@fjordkyst.example;+47 412 00 072;;;;;N;;"
CILLA = "7003;F200073;;Vardehaug;Cilla;;ANS;Teknisk;cilla.vardehaug@fjordkyst.example;;;;;;B;;"
EVERYBODY = (ADA, BO, CILLA)


def file_of(*rows: str) -> bytes:
    """A file of the municipality."""
    return ("\r\n".join((HEAD, *rows)) + "\r\n").encode("cp1252")


def send(place: Workplace, *rows: str) -> PatronSummary:
    """A file of today is dropped and merged."""
    name = f"{SOURCE}_{place.today:%Y%m%d}.csv"
    (found,) = sync(place, SOURCE, [land(place, SOURCE, name, file_of(*rows))])
    return found


def occasion(place: Workplace, institution: str = INSTITUTION) -> Occasion:
    """Staff ask today."""
    return Occasion(place.today, institution, None, place.register.patron_policy, own_ranks(place, institution))


def with_cell(row: str, name: str, value: str) -> str:
    """The row with another value in a column."""
    cells = row.split(";")
    cells[HEAD.split(";").index(name)] = value
    return ";".join(cells)


def columns() -> Sequence[str]:
    """Names of the file's columns."""
    return HEAD.split(";")
