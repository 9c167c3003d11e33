"""Secrets and variables that Prefect keeps for the workers: declared here by name, put there by `deployments apply`.

A secret's value never stands in git. Whoever does not want passwords in each worker's environment saves them once
into Prefect's Secret blocks, which the server keeps encrypted; the work pool then hands them to each run. A worker's
own environment counts for whatever has no block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SECRET_BLOCKS: Mapping[str, str] = {
    "SAMKAT_WAREHOUSE_URL": "samkat-warehouse-url",
    "SAMKAT_SMTP_URL": "samkat-smtp-url",
    "SAMKAT_PATRON_SALT": "samkat-patron-salt",
    "AWS_ACCESS_KEY_ID": "samkat-aws-access-key-id",
    "AWS_SECRET_ACCESS_KEY": "samkat-aws-secret-access-key",
}
"""Block by the environment variable that a run is given."""


@dataclass(frozen=True)
class Variable:
    """A Prefect variable that a person may change in the UI; it is made with `first` and then left alone."""

    name: str
    first: str
    gives: str
    """The environment variable that each run is given with its value."""


VARIABLES = (Variable("samkat_log_level", "INFO", "PREFECT_LOGGING_LEVEL"),)


def environment_of_runs(blocks: frozenset[str]) -> dict[str, str]:
    """What the pool's job template adds to a run's environment, as references that the worker resolves.

    Only blocks that are there are named: a reference to a missing one would stop every run.
    """
    secrets = {
        variable: f"{{{{ prefect.blocks.secret.{block} }}}}"
        for variable, block in SECRET_BLOCKS.items()
        if block in blocks
    }
    return secrets | {each.gives: f"{{{{ prefect.variables.{each.name} }}}}" for each in VARIABLES}
