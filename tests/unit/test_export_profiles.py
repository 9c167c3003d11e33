"""Export profiles: what the sample has, and every mistake told with profile, key, value and remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.errors import ConfigurationError

FILE = "export_profiles.toml"


def refusal(tmp_path: Path, text: str) -> str:
    """What is said about a profile `p` with these lines."""
    folder = Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))
    head = "" if "name" in text else 'name = "p"\nreceiver = "R"\n'
    (folder / FILE).write_text(f"[[export_profile]]\n{head}{text}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_register(folder)
    return str(caught.value).removeprefix(f"{folder / FILE}, ")


def test_the_sample_has_a_town_an_old_system_and_the_whole() -> None:
    profiles = read_register(SAMPLE_REGISTER).export_profile_by_name
    assert {name: each.libraries for name, each in profiles.items()} == {
        "solberg": ("SOLB", "SOLG"), "nordhavet": ("NORU",), "portal": ("*",),
    }  # fmt: skip
    assert [each.is_everything for each in profiles.values()] == [False, False, True]


def test_a_register_without_profiles_exports_nothing(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))
    (folder / FILE).unlink()
    assert read_register(folder).export_profiles == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('libraries = ["SOLB", "XXXX"]', "p.libraries: unknown sigel XXXX (correct the sigel, or add the library to"),
        ('libraries = ["*", "SOLB"]', "export_profile[p]: libraries: '*' stands alone"),
        ('libraries = ["SOLB", "SOLB"]', "export_profile[p]: libraries: a sigel is there twice"),
        ("libraries = []", "export_profile[p].libraries: []"),
        ('libraries = ["SOLB"]\nplace = "here"', 'export_profile[p].place: "here"'),
        ('libraries = ["SOLB"]\nholding = "none"', "export_profile[p].holding: unknown key (did you mean holdings?)"),
        ('libraries = ["SOLB"]\ncharset = "latin-1"', 'export_profile[p].charset: "latin-1"'),
        ('libraries = ["SOLB"]\ncharset = "iso8859-1"\nletters = "decomposed"', "iso8859-1 has composed letters only"),
        ('libraries = ["SOLB"]\ntriggers = { sources = ["NORDBUK"] }', "p.sources: unknown supplier NORDBUK"),
        ('name = "P p"\nreceiver = "R"\nlibraries = ["SOLB"]', 'export_profile[P p].name: "P p"'),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)
