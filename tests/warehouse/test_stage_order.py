"""The order in which these tests call the stages is that of the flows."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

from flows.catalogue_load import catalogue_load
from flows.supplier_ingest import supplier_ingest
from tests.warehouse import pipeline

TOLD = {
    "notify_libraries", "notify_rejected", "notify_held", "send_worklist", "send_notices", "summarise",
    "start_data_docs",
}  # fmt: skip
"""Stages that tell people; these tests leave them out."""


def called(function: Any) -> list[str]:
    """Names of the functions called at the top level of a flow's body, in order; what a dry run does is left out."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body
    assert isinstance(body, ast.FunctionDef)
    names = []
    for statement in body.body:
        call = getattr(statement, "value", None)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
            names.append(call.func.id)
    return [name for name in names if name not in TOLD]


def test_a_suppliers_delivery_goes_through_the_stages_of_its_flow() -> None:
    assert called(supplier_ingest.fn) == ["receive", *(stage.__name__ for stage in pipeline.TO_THE_SHELVES)]


def test_an_export_goes_through_the_stages_of_its_flow() -> None:
    assert called(catalogue_load.fn) == ["receive_export", *(stage.__name__ for stage in pipeline.OF_AN_EXPORT)]
