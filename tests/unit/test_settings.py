"""Settings: defaults, absolute paths, refusals, secrets, and what a child process gets."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from config.settings import Settings, environment_for_children, load_settings, masked, variable_of
from schemas.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.upper().startswith("SAMKAT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_stand_in_a_hidden_folder_of_the_current_one(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.home == tmp_path / ".samkat"
    assert settings.warehouse_url.get_secret_value() == f"sqlite:///{tmp_path}/.samkat/warehouse.db"
    assert settings.landing_url == f"{tmp_path}/.samkat/landing"
    assert settings.register_folder == ROOT / "config" / "register"
    assert settings.outbox == tmp_path / ".samkat" / "outbox"
    assert (settings.smtp_url, settings.today, settings.prefect_port) == (None, None, None)
    assert (settings.timezone, settings.chunk_records) == ("Europe/Stockholm", 20_000)


def test_relative_places_are_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "SAMKAT_HOME": "a/../b",
        "SAMKAT_REGISTER": "policy",
        "SAMKAT_WAREHOUSE_URL": "sqlite:///w/x.db?timeout=5",
        "SAMKAT_LANDING_URL": "drop",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.home == tmp_path / "b"
    assert settings.register_folder == tmp_path / "policy"
    assert settings.warehouse_url.get_secret_value() == f"sqlite:///{tmp_path}/w/x.db?timeout=5"
    assert settings.landing_url == f"{tmp_path}/drop"


def test_settings_are_read_anew_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().business_date() != date(2025, 3, 14)
    monkeypatch.setenv("SAMKAT_TODAY", "2025-03-14")
    assert load_settings().business_date() == date(2025, 3, 14)


def test_settings_are_frozen() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.chunk_records = 1  # type: ignore[misc]


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMKAT_SMTP_URL", "")
    assert load_settings().smtp_url is None


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("SAMKAT_WAREHOUS_URL", "SAMKAT_WAREHOUSE_URL"),
        ("SAMKAT_TIME_ZONE", "SAMKAT_TIMEZONE"),
        ("SAMKAT_REGISTER_FOLDER", "SAMKAT_REGISTER"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_known_one(
    monkeypatch: pytest.MonkeyPatch, variable: str, nearest: str
) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert caught.value.field == variable
    assert f"did you mean {nearest}?" in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SAMKAT_TIMEZONE", "Europe/Stokholm", "Europe/Stokholm: is not a time zone, did you mean Europe/Stockholm?"),
        ("SAMKAT_TIMEZONE", "../etc/passwd", "is not a time zone"),
        ("SAMKAT_TODAY", "yesterday", "yesterday: "),
        ("SAMKAT_PREFECT_PORT", "99999", "99999: "),
        ("SAMKAT_CHUNK_RECORDS", "0", "0: "),
        ("SAMKAT_WAREHOUSE_URL", "mysql://host/name", "is not a URL of a warehouse"),
        ("SAMKAT_WAREHOUSE_URL", "sqlite://", "is not a URL of a warehouse"),
        ("SAMKAT_WAREHOUSE_URL", "sqlite:///:memory:", "the warehouse needs a file"),
        ("SAMKAT_WAREHOUSE_URL", "sqlite://x.db", "the warehouse needs a file"),
        ("SAMKAT_LANDING_URL", "ftp://host/in", "neither a folder nor s3"),
        ("SAMKAT_LANDING_URL", "s3://key:hush@bucket", "keys do not belong in the URL"),
        ("SAMKAT_BUCKET_EVENTS", "arn:aws:sqs:eu-north-1:1:arrivals", "is not the URL of a queue"),
        ("SAMKAT_BUCKET_EVENTS", "https://sqs.eu-north-1.amazonaws.com", "is not the URL of a queue"),
        ("SAMKAT_BUCKET_EVENTS", "https://key:hush@host/1/arrivals", "keys do not belong in the URL"),
        ("SAMKAT_SMTP_URL", "http://host", "is not a mail server"),
    ],
)
def test_a_wrong_value_is_refused_with_variable_and_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert caught.value.field == variable
    assert said in caught.value.cause
    assert "hush" not in str(caught.value)
    assert "wrong as well" not in str(caught.value)


def test_a_wrong_home_is_the_only_thing_said_of_what_follows_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMKAT_PREFECT_PORT", "port")
    monkeypatch.setenv("SAMKAT_CHUNK_RECORDS", "many")
    with pytest.raises(ConfigurationError, match="wrong as well: chunk_records"):
        load_settings()


def test_passwords_show_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMKAT_WAREHOUSE_URL", "postgresql+psycopg://samkat:hush@db/samkat")
    monkeypatch.setenv("SAMKAT_SMTP_URL", "smtps://samkat:hush@mail.example:465")
    settings = load_settings()
    assert "hush" not in repr(settings) + str(settings) + settings.model_dump_json() + settings.warehouse_shown
    assert settings.warehouse_shown == "postgresql+psycopg://samkat:***@db/samkat"
    monkeypatch.setenv("SAMKAT_SMTP_URL", "smpt://samkat:hush@mail.example")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@ss:w@h/d", "postgresql://u:***@h/d"),
        ("postgresql:///d?host=/run&password=secret&x=1", "postgresql:///d?host=/run&password=***&x=1"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("sqlite:////tmp/a:b@c.db", "sqlite:////tmp/a:b@c.db"),
        ("smtp://mail.example:25", "smtp://mail.example:25"),
    ],
)
def test_masking_hides_the_password_alone(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_a_child_in_another_folder_sees_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings(
        home=Path("here"),
        smtp_url="smtp://u:p@mail.example",  # type: ignore[arg-type]
        today=date(2025, 3, 14),
        second_process=True,
        register_folder=Path("policy"),
    )
    for name, value in environment_for_children(settings).items():
        monkeypatch.setenv(name, value)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert load_settings() == settings
    assert load_settings().home == tmp_path / "here"


def test_settings_import_neither_prefect_nor_the_database_layer() -> None:
    code = (
        "import sys, config.settings, config.reading; "
        "print([m for m in ('prefect', 'sqlalchemy', 'great_expectations', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_setting_is_described_and_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| `SAMKAT_")}
    assert rows == {f"`{variable_of(name)}`" for name in Settings.model_fields}
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("landing", "index"),
    [
        ("/srv/landing", "file:///srv/home/data-docs/index.html"),
        ("s3://bucket", "s3://bucket/data-docs/index.html"),
        ("s3://bucket/deep/a b/", "s3://bucket/deep/a%20b/data-docs/index.html"),
    ],
)
def test_data_docs_are_found_in_home_or_in_the_bucket(landing: str, index: str) -> None:
    assert Settings(home=Path("/srv/home"), landing_url=landing).data_docs_index == index
