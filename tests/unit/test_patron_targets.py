"""patron_targets.toml: the sample is right, and every mistake is told with file, key, value and remedy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from config.reading import read_register
from config.settings import SAMPLE_REGISTER
from schemas.errors import ConfigurationError
from schemas.register.patron_targets import PatronTarget


def target(**keys: Any) -> PatronTarget:
    return PatronTarget.model_validate({"code": "NORUALMA", "institution": "NORU", "kind": "alma_files", **keys})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the sample register, to be spoilt."""
    return Path(shutil.copytree(SAMPLE_REGISTER, tmp_path / "register"))


def test_the_sample_has_two_library_systems_and_one_institution_that_edits_in_the_warehouse() -> None:
    register = read_register(SAMPLE_REGISTER)
    assert {each.institution: each.kind for each in register.patron_targets} == {
        "NORU": "alma_files",
        "VEST": "alma_files",
        "FJOR": "warehouse",
    }
    assert register.patron_target_by_institution["VEST"].out_rules.confidential_keeps == {"emails"}


def test_a_register_without_the_file_has_no_targets(folder: Path) -> None:
    (folder / "patron_targets.toml").unlink()
    assert read_register(folder).patron_targets == ()


def test_an_api_needs_an_address_and_the_name_of_its_key() -> None:
    api = {"kind": "alma_api", "base_url": "https://api.library.example/", "api_key": "VEST_ALMA_KEY"}
    assert target(**api).base_url == "https://api.library.example"
    for missing in ("base_url", "api_key"):
        with pytest.raises(ValueError, match="kind alma_api needs both"):
            target(**{**api, missing: None})
    with pytest.raises(ValueError, match="kind warehouse has no API"):
        target(**{**api, "kind": "warehouse"})
    for url in ("http://api.library.example", "api.library.example", "https://a:b@api.library.example"):
        with pytest.raises(ValueError, match="no address of an API that a key may be sent to"):
            target(**{**api, "base_url": url})
    for key in ("l8xx00112233445566", "SAMKAT_KEY", "K", "VEST KEY"):
        with pytest.raises(ValueError, match="no name of an environment variable"):
            target(**{**api, "api_key": key})


def test_rules_are_given_as_composer_read_back_and_file_checks_want_them() -> None:
    one = target(not_exported=["pin_number"], record_type="STAFF", export={"pattern": "a", "window": 0.5})
    assert (one.out_rules.not_exported, one.out_rules.record_type) == ({"pin_number"}, "STAFF")
    assert (one.export.file_rules.pattern, one.export.file_rules.window) == ("a", 0.5)
    assert not one.export.file_rules.same_is_stale


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'out_prefix = "NORU"',
            'out_prefx = "NORU"',
            ["patron_target[NORUALMA].out_prefx", "did you mean out_prefix?"],
        ),
        ('out_prefix = "NORU"', 'out_prefix = "a/b"', ["patron_target[NORUALMA].out_prefix", "a/b"]),
        ('kind = "warehouse"', 'kind = "koha"', ["patron_target[FJORDESK].kind", "koha"]),
        (
            'kind = "warehouse"',
            'kind = "warehouse"\nnot_exported = ["pin"]',
            ["FJORDESK].not_exported", "'pin' is no path"],
        ),
        ('kind = "warehouse"', 'kind = "warehouse"\nnot_exported = ["primary_id"]', ["'primary_id' is no path"]),
        ("(?P<date>", "(?P<time>", ["patron_target[NORUALMA]", "`time` needs a group `date`"]),
        ('keeps = ["emails"]', 'keeps = ["notes"]', ["patron_target[VESTALMA].confidential_keeps", "notes"]),
        ('code = "FJORDESK"', 'code = "BOKRING"', ["BOKRING.code", "a sender has it", "choose another code"]),
        ('code = "FJORDESK"', 'code = "FJORKOMM"', ["FJORKOMM.code", "a sender has it"]),
        ('code = "FJORDESK"', 'code = "VESTALMA"', ["VESTALMA is there twice"]),
        (
            'institution = "FJOR"',
            'institution = "FJORR"',
            ["FJORDESK.institution", "no source of FJORR", "each institution"],
        ),
        ('institution = "FJOR"', 'institution = "VEST"', ["FJORDESK.institution", "VEST has one already"]),
    ],
)
def test_mistakes_are_told(folder: Path, old: str, new: str, words: list[str]) -> None:
    file = folder / "patron_targets.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_register(folder)
    told = str(caught.value)
    assert "patron_targets.toml" in told
    assert [each for each in words if each not in told] == []
