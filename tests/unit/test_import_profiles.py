"""Import profiles: what the sample has, and every mistake told with profile, key, value and remedy."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.errors import ConfigurationError
from schemas.register.register import Register

FILE = "import_profiles.toml"
HEAD = 'code = "p-p"\nname = "P"\ncontact = "p@p.example"\nlibraries = ["SOLB"]\n'


def with_profile(tmp_path: Path, text: str) -> Register:
    """The sample's register with one profile `p-p` that has these lines."""
    folder = Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))
    head = "\n".join(line for line in HEAD.splitlines() if line.split(" = ")[0] not in text)
    (folder / FILE).write_text(f"[[import_profile]]\n{head}\n{text}\n", encoding="utf-8")
    return read_register(folder)


def test_the_sample_has_a_koha_and_a_school_with_danmarc2() -> None:
    profiles = read_register(SAMPLE_REGISTER).import_profile_by_code
    assert {code: (each.create, each.libraries) for code, each in profiles.items()} == {
        "solberg-koha": ("with_number", ("SOLB", "SOLG")), "havn-danmarc": ("none", ("HAVN",)),
    }  # fmt: skip


def test_a_register_without_profiles_imports_nothing(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))
    (folder / FILE).unlink()
    assert read_register(folder).import_profiles == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('libraries = ["SOLB", "XXXX"]', "p-p.libraries: unknown sigel XXXX (correct the sigel, or add the library to"),
        ("libraries = []", "import_profile[p-p].libraries: []"),
        ('level_table = "none"', "p-p.level_table: no table 'none'"),
        ('charset = "latin-1"', 'import_profile[p-p].charset: "latin-1"'),
        ('creat = "none"', "import_profile[p-p].creat: unknown key (did you mean create?)"),
        ('create = "some"', 'import_profile[p-p].create: "some"'),
        ('code = "P P"', 'import_profile[P P].code: "P P"'),
        ('code = "nordbok"\nmatching = { match_at = "high" }', 'import_profile[nordbok].matching.match_at: "high"'),
        ("matching = { weights = { isbn = 1.0 } }", "import_profile[p-p].matching.weights"),
        ("matching = { match_att = 1.0 }", "matching.match_att: unknown key (did you mean match_at?)"),
        ('[[import_profile.holdings]]\ntag = "952"', "sigel or default_sigel must say whose they are"),
        ('[[import_profile.holdings]]\ntag = "95"\nsigel = "b"', 'import_profile[p-p].holdings.0.tag: "95"'),
        ('[[import_profile.holdings]]\ntag = "952"\nsigel = "bc"', 'import_profile[p-p].holdings.0.sigel: "bc"'),
        ('[[import_profile.holdings]]\ntag = "952"\ndefault_sigel = "LUNV"', "LUNV is none of `libraries`"),
        ('[[import_profile.holdings]]\ntag = "952"\nsigel = "b"\nskip = { 0 = "(" }', "not a regular expression"),
        (
            'fields = [{ tag = "952" }]\n[[import_profile.holdings]]\ntag = "952"\nsigel = "b"',
            "fields: 952 becomes holdings already",
        ),
        ('fields = [{ tag = "021", to = "001" }]', 'import_profile[p-p].fields.0.to: "001"'),
        ('record = { kind = "009$a" }', "record: kind needs kinds, in which it is looked up"),
        ('record = { year = "008a" }', 'import_profile[p-p].record.year: "008a"'),
        ('record = { number_prefix = "SAMKAT" }', "record.number_prefix: 'SAMKAT' is our own prefix"),
        ('normalisation = { own_prefix = "X" }', "differs from control_number_prefix 'SAMKAT'"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_remedy(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        with_profile(tmp_path, text)
    assert FILE in str(caught.value)
    assert said in str(caught.value)


def test_a_code_is_given_once_among_all_senders(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"catalogue\.code: another sender has it \(choose another code\)"):
        with_profile(tmp_path, 'code = "catalogue"')


def test_an_import_is_matched_by_its_own_rules_and_nobody_else_is(tmp_path: Path) -> None:
    register = with_profile(tmp_path, "matching = { match_at = 1.5, weights = { number_shared = 0.0 } }")
    own, others = register.for_sender("p-p").matching, register.for_sender("NORDBOK").matching
    assert (own.match_at, own.weights.number_shared) == (1.5, 0.0)
    assert (own.review_at, own.weights.title_equal) == (others.review_at, others.weights.title_equal)
    assert others == register.matching


def test_the_profiles_on_the_page_can_be_read_and_are_the_samples_but_for_what_it_leaves_out() -> None:
    page = (Path(__file__).parents[2] / "docs" / "bib-import.md").read_text("utf-8")
    told = [tomllib.loads(block)["import_profile"][0] for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)]
    sample = tomllib.loads((SAMPLE_REGISTER / FILE).read_text("utf-8"))["import_profile"]
    koha, school = told
    assert koha == sample[0]
    assert school | {"fields": sample[1]["fields"]} == sample[1]
    assert [each for each in school["fields"] if each not in sample[1]["fields"]] == []
