"""The samples in tests/data are what the generator makes, byte for byte.

`python -m tests.unit.test_sample_committed` writes them anew after the generator was changed on purpose.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from deployments.sample.catalogue import ANY_DATE, write_catalogue
from deployments.sample.night import SAMPLE_NIGHT, write_night
from deployments.sample.scenes import compose

DATA = Path(__file__).resolve().parents[1] / "data"
SEED = 1
CATALOGUE = "catalogue/samkatalogen-01.mrc"
NIGHT = (
    "BOKRING25031400001.xml",
    "SE-LIBR00000003.xml",
    "dagfil.mrc",
    "MEDIATSOLB.iso88591",
    "kommande.mrc",
    "katalog.xml",
    "packat.mrc.gz",
    "packat.zip",
    "isbn-former.mrc",
    "isbn-streck.mrc",
    "isbn-svaga.mrc",
    "verk-och-delar.mrc",
    "samma-isbn.mrc",
    "numrerade.mrc",
    "dubbletter.mrc",
    "nekade.mrc",
    "hyllor.mrc",
    "hemlosa.mrc",
    "_nivaer.mrc",
    "latin1-som-a.mrc",
    "marc8.mrc",
    "avklippt.mrc",
    "avbruten.xml",
)
"""Ends of the names of the night's files that are committed."""


def write_samples(folder: Path) -> list[str]:
    """Write the committed files into `folder`; their paths in it are returned."""
    write_catalogue(folder / "catalogue", SEED, len(compose(SEED, ANY_DATE).plants))
    kept = [CATALOGUE]
    for supplier, path, _ in write_night(folder / "incoming", SEED, SAMPLE_NIGHT):
        if path.name.endswith(NIGHT):
            kept.append(f"incoming/{supplier}/{path.name}")
        else:
            path.unlink()
    return kept


def test_the_generator_reproduces_the_committed_samples(tmp_path: Path) -> None:
    made = write_samples(tmp_path)
    assert len(made) == 1 + len(NIGHT)
    assert [name for name in made if (tmp_path / name).read_bytes() != (DATA / name).read_bytes()] == []


def test_nothing_else_of_the_night_is_committed(tmp_path: Path) -> None:
    there = {str(file.relative_to(DATA)) for part in ("catalogue", "incoming") for file in (DATA / part).rglob("*.*")}
    assert there == set(write_samples(tmp_path))


def test_the_samples_are_few_and_small() -> None:
    files = [file for part in ("catalogue", "incoming") for file in (DATA / part).rglob("*.*")]
    assert len(files) <= 25
    assert sum(file.stat().st_size for file in files) < 300_000


if __name__ == "__main__":
    for part in ("catalogue", "incoming"):
        shutil.rmtree(DATA / part, ignore_errors=True)
    write_samples(DATA)
