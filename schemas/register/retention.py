"""`retention.toml`: how long files that were made for people are kept in the landing zone."""

from __future__ import annotations

from pydantic import Field

from schemas.register.base import RegisterModel


class Retention(RegisterModel):
    """Days after which a file that Samkat wrote goes. What senders wrote (archive, quarantine) is never removed."""

    rejects_days: int = Field(90, ge=1, description="Rejected records and their tables, in `rejects/`; e-mails say so")
    reports_days: int = Field(400, ge=1, description="Dated reports, in `reports/overview/`; the latest one stays")
    exports_days: int = Field(
        90, ge=1, description="Files for local systems, in `exports/`; then in `archive/exports/`"
    )
    marts_days: int = Field(30, ge=1, description="Snapshots of the promised views, in `marts/`")
    handed_days: int = Field(
        7, ge=1, description="Copies of files that were named on the command line and not taken, in `handed/`"
    )
