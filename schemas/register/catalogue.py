"""`catalogue.toml`: what the union catalogue is called, and how an export of it is read."""

from __future__ import annotations

from pydantic import Field

from schemas.register.base import RegisterModel


class CatalogueRules(RegisterModel):
    """Rules for `samkat catalogue load` and for the control numbers of new bibs."""

    name: str = Field("Samkatalogen", description="As it stands in e-mails")
    control_number_prefix: str = Field("SAMKAT", description="Our 003")
    sender: str = Field("catalogue@samkatalogen.example", pattern=r"^[^@\s]+@[^@\s]+$", description="From of e-mails")
    operator: str = Field("drift@samkatalogen.example", pattern=r"^[^@\s]+@[^@\s]+$", description="Who runs Samkat")
    language: str = Field("en", pattern=r"^[a-z]{2}$", description="Language of e-mails to the operator")
    human_edit_agencies: tuple[str, ...] = Field(
        (), description="040 $d values that are not people (suppliers, machines); any other $d marks a human edit"
    )
    merged_from: tuple[str, ...] = Field(
        ("019$a",), description="tag$code of a record that name the control numbers merged into it"
    )
    origin_note: str = Field("origin:", description="852 $x that starts so names the supplier that owns the line")
