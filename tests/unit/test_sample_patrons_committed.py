"""The patron samples in tests/data are what the generator makes, byte for byte.

`python -m tests.unit.test_sample_patrons_committed` writes them anew after the generator was changed on purpose.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from deployments.sample.night import SAMPLE_NIGHT
from deployments.sample.patrons import Sizes, patron_fortnight

DATA = Path(__file__).resolve().parents[1] / "data" / "patrons"
FEW = Sizes(norupers=40, sjukhus=16, veststud=28, fjorkomm=36)
"""About as few persons as the scenes need."""


def write_samples(folder: Path) -> list[str]:
    """Write the files of the sample night into `folder`; their paths in it are returned."""
    (day,) = patron_fortnight(folder, [SAMPLE_NIGHT], 1, FEW)
    for stock in day.stocks.values():
        stock.unlink()
    found = [path for file in day.files for path in (file.path, file.manifest) if path]
    return sorted(str(path.relative_to(folder)) for path in found)


def test_the_generator_reproduces_the_committed_patron_files(tmp_path: Path) -> None:
    made = write_samples(tmp_path)
    assert len(made) == 5
    assert [name for name in made if (tmp_path / name).read_bytes() != (DATA / name).read_bytes()] == []
    assert sorted(str(file.relative_to(DATA)) for file in DATA.rglob("*.*") if file.is_file()) == made


def test_the_patron_samples_are_small() -> None:
    assert sum(file.stat().st_size for file in DATA.rglob("*.*")) < 60_000


if __name__ == "__main__":
    shutil.rmtree(DATA, ignore_errors=True)
    write_samples(DATA)
