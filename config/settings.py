"""Settings: where things are and how much to take at once, read from `SAMKAT_` variables of the environment.

What belongs here is place and capacity, which differ from machine to machine. What is policy (who delivers, what may
replace what) belongs in the register. docs/settings.md lists every setting; a test holds the page against this module.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.errors import ConfigurationError

PREFIX = "SAMKAT_"
CODE = Path(__file__).resolve().parent.parent
SAMPLE_REGISTER = CODE / "config" / "register"
WAREHOUSE_SCHEMES = ("sqlite", "postgresql", "postgresql+psycopg")
SMTP_SCHEMES = ("smtp", "smtp+starttls", "smtps")

_PASSWORD = re.compile(r"(?<=://)(?P<user>[^:/?#@]*):[^/?#]*(?=@)|(?<=[?&]password=)[^&#]+", re.IGNORECASE)


def masked(url: str) -> str:
    """`url` as it may be shown: a password in it becomes `***`."""
    return _PASSWORD.sub(lambda found: f"{found['user']}:***" if found["user"] is not None else "***", url)


def _default_warehouse(values: dict[str, Any]) -> SecretStr:
    return SecretStr(f"sqlite:///{values['home'] / 'warehouse.db'}")


def _default_landing(values: dict[str, Any]) -> str:
    return str(values["home"] / "landing")


class Settings(BaseSettings):
    """Every setting of Samkat. The variable is `SAMKAT_` and the name; `register_folder` is `SAMKAT_REGISTER`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        validate_default=True,
    )

    home: Path = Field(
        Path(".samkat"), description="Folder of the embedded warehouse, landing zone, outbox and data docs"
    )
    warehouse_url: SecretStr = Field(
        default_factory=_default_warehouse,
        description="SQLAlchemy URL of the warehouse: sqlite:///path or postgresql+psycopg://user:password@host/name",
    )
    landing_url: str = Field(
        default_factory=_default_landing, description="Where deliveries land: a folder, or s3://bucket/prefix"
    )
    bucket_events: str | None = Field(
        None, description="URL of an SQS queue that is told what comes into the bucket; none: the sweep finds it"
    )
    # Not named `register`: every class has an attribute of that name from its metaclass.
    register_folder: Path = Field(
        SAMPLE_REGISTER, validation_alias=f"{PREFIX}REGISTER", description="Folder of the register's TOML files"
    )
    smtp_url: SecretStr | None = Field(
        None, description="Mail server: smtp://, smtp+starttls:// or smtps://; none: .eml files in HOME/outbox"
    )
    timezone: str = Field("Europe/Stockholm", description="Time zone of business dates and schedules")
    today: date | None = Field(None, description="Business date in place of the calendar's, for tests and repeats")
    prefect_port: int | None = Field(
        None, ge=1, le=65535, description="Port of the local Prefect server; none: a free one is chosen and remembered"
    )
    code: Path = Field(CODE, description="Folder where the workers of a pool find Samkat's code")
    chunk_records: int = Field(20_000, ge=1, description="Records a transaction commits together")
    second_process: bool = Field(True, description="Let a second process parse and judge large deliveries")
    dask_scheduler: str | None = Field(
        None, description="Address of a Dask cluster that parses huge ISO2709 deliveries: tcp://host:8786"
    )
    dask_from_bytes: int = Field(64 * 1024**2, ge=1, description="From this size on a delivery is parsed there")
    max_unpacked_bytes: int = Field(8 * 1024**3, ge=1, description="Bytes a gzip or zip file may unpack to")
    max_members: int = Field(1_000, ge=1, le=32_767, description="Entries a zip file may hold")
    max_ratio: float = Field(200.0, gt=1, description="Unpacked bytes for a packed byte, over a whole file")
    stable_seconds: float = Field(
        2.0, ge=0, description="A file younger than this may still be written to and is not taken yet"
    )
    # Not named `data_docs`: that is the folder.
    data_docs_mode: Literal["background", "wait", "off"] = Field(
        "background",
        validation_alias=f"{PREFIX}DATA_DOCS",
        description="When the pages of the quality checks are made after an ingest: background, wait or off",
    )
    patron_salt: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret of the keyed hashes that stand for persons, 32 characters or more; none: one made in HOME",
    )
    intake_port: int | None = Field(
        None, ge=1, le=65535, description="Port of the intake service; set, `samkat serve` runs it too"
    )
    intake_rate: float = Field(30.0, gt=0, description="Requests a second that the intake service takes of one token")
    debug: bool = Field(False, description="Show tracebacks with errors, and every line that Prefect logs")

    @field_validator("home", "register_folder", "code", mode="after")
    @classmethod
    def _absolute_path(cls, value: Path) -> Path:
        # Child processes start in other folders, so a relative path must be settled here.
        return _absolute(value)

    @field_validator("warehouse_url", mode="after")
    @classmethod
    def _known_warehouse(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        scheme, _, rest = url.partition("://")
        if scheme not in WAREHOUSE_SCHEMES or not rest:
            raise ValueError("is not a URL of a warehouse: use sqlite:///path or postgresql+psycopg://user@host/name")
        if scheme != "sqlite":
            return value
        path, mark, query = rest.removeprefix("/").partition("?")
        if not rest.startswith("/") or not path or path == ":memory:":
            raise ValueError("the warehouse needs a file: other processes read it too, use sqlite:///path")
        return SecretStr(f"sqlite:///{_absolute(Path(path))}{mark}{query}")

    @field_validator("landing_url", mode="after")
    @classmethod
    def _known_landing(cls, value: str) -> str:
        parts = urlsplit(value)
        if "://" not in value:
            return str(_absolute(Path(value)))
        if parts.scheme == "file" and parts.path and parts.netloc in ("", "localhost"):
            return str(_absolute(Path(unquote(parts.path))))
        if parts.scheme != "s3" or not parts.netloc:
            raise ValueError("is neither a folder nor s3://bucket/prefix")
        if "@" in parts.netloc:
            raise ValueError("keys do not belong in the URL: use the AWS client's own settings")
        return value

    @field_validator("bucket_events", mode="after")
    @classmethod
    def _known_queue(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.strip("/"):
                raise ValueError("is not the URL of a queue: use https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
            if "@" in parts.netloc:
                raise ValueError("keys do not belong in the URL: use the AWS client's own settings")
        return value

    @field_validator("dask_scheduler", mode="after")
    @classmethod
    def _known_scheduler(cls, value: str | None) -> str | None:
        if value is not None and ("@" in value or not re.fullmatch(r"[a-z]+://[^\s/?#]+:\d{1,5}", value)):
            raise ValueError("is not the address of a Dask scheduler: use tcp://host:8786 or tls://host:8786")
        return value

    @field_validator("smtp_url", mode="after")
    @classmethod
    def _known_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in SMTP_SCHEMES or not parts.hostname:
                raise ValueError("is not a mail server: use smtps://user:password@host:port (or smtp+starttls, smtp)")
        return value

    @field_validator("timezone", mode="after")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            near = difflib.get_close_matches(value, available_timezones(), n=1)
            raise ValueError(f"is not a time zone{f', did you mean {near[0]}?' if near else ''}") from None
        return value

    @property
    def outbox(self) -> Path:
        """Folder of the .eml files that are written where no mail server is set."""
        return self.home / "outbox"

    @property
    def data_docs(self) -> Path:
        """Folder of the data docs of the quality checks."""
        return self.home / "data-docs"

    @property
    def data_docs_index(self) -> str:
        """URI of the page that leads to all data docs: in the bucket of the landing zone where there is one."""
        if not self.landing_url.startswith("s3://"):
            return (self.data_docs / "index.html").as_uri()
        return f"s3://{quote(self.landing_url.removeprefix('s3://').rstrip('/'))}/data-docs/index.html"

    @property
    def prefect_home(self) -> Path:
        """Folder of the local Prefect server: its database, its port and its process id."""
        return self.home / "prefect"

    @property
    def warehouse_shown(self) -> str:
        """The warehouse's URL as it may be shown to a person or logged."""
        return masked(self.warehouse_url.get_secret_value())

    def as_of(self) -> datetime:
        """The moment that checks look from: now, or the end of the business date where one is set."""
        now = datetime.now(UTC)
        return now if self.today is None else datetime.combine(self.today, time.max, ZoneInfo(self.timezone))

    def business_date(self) -> date:
        """`today` where set, else the calendar's date in `timezone`."""
        return self.today or datetime.now(ZoneInfo(self.timezone)).date()


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))


def variable_of(name: str) -> str:
    """The environment variable that sets the field `name` of `Settings`."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"{PREFIX}{name.upper()}"


def load_settings() -> Settings:
    """Read the settings from the environment as it is at this call.

    Raises `ConfigurationError` for a wrong value, and for a `SAMKAT_` variable that no setting knows: a typing
    mistake in a variable's name would otherwise quietly mean the default.
    """
    ours = sorted((name, value) for name, value in os.environ.items() if name.upper().startswith(PREFIX))
    return _settings_of(tuple(ours), os.getcwd())


@lru_cache(maxsize=8)
def _settings_of(environment: tuple[tuple[str, str], ...], folder: str) -> Settings:
    """Every stage of a run asks; the same variables in the same folder are judged once."""
    _refuse_unknown_variables(dict(environment))
    try:
        return Settings()
    except ValidationError as error:
        raise _explained(error) from None


def environment_for_children(settings: Settings) -> dict[str, str]:
    """The `SAMKAT_` variables that give a child process, started in any folder, the same settings.

    Holds passwords in clear: hand it to a process, never write or log it.
    """
    environment = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if value is not None:
            environment[variable_of(name)] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return environment


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    known = [variable_of(name) for name in Settings.model_fields]
    for variable in sorted(environ):
        if variable.upper().startswith(PREFIX) and variable.upper() not in known:
            near = difflib.get_close_matches(variable.upper(), known, n=1, cutoff=0.0)[0]
            raise ConfigurationError(
                "no setting has this name", field=variable, remedy=f"did you mean {near}? docs/settings.md lists all"
            )


def _explained(error: ValidationError) -> ConfigurationError:
    # A default that waits for another field (`home`) is reported as wrong too when an earlier field is wrong.
    found = [each for each in error.errors(include_url=False) if each["type"] != "default_factory_not_called"]
    first, *others = found
    name = str(first["loc"][0]) if first["loc"] else ""
    # An alias is reported in place of the field.
    name = next((each for each in Settings.model_fields if variable_of(each) == name), name)
    field = Settings.model_fields.get(name)
    is_secret = field is not None and "SecretStr" in str(field.annotation)
    value = masked(str(first["input"])) if not is_secret else "the value given"
    cause = first["msg"].removeprefix("Value error, ")
    more = f"; wrong as well: {', '.join(str(each['loc'][0]) for each in others)}" if others else ""
    return ConfigurationError(
        f"{value}: {cause}{more}",
        field=variable_of(name) if field else PREFIX,
        remedy=f"{field.description if field else 'see'}; docs/settings.md",
    )
