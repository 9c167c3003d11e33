"""Suppliers report their customers; what they reported is compared with the register and with the holdings."""

from __future__ import annotations

from flows.pipeline import pipeline
from tasks.notices.stages import send_notices
from tasks.suppliers.report import CustomersReport
from tasks.suppliers.stages import put_away, take_customers, take_customers_back


@pipeline(name="supplier-customers", run_name="supplier-customers", timeout_seconds=3600, turn_at="customers")
def supplier_customers(
    supplier: str | None = None,
    uris: list[str] | None = None,
    dry_run: bool = False,
    take_back: int | None = None,
    patience_seconds: int = 0,
) -> CustomersReport:
    """Take in a supplier's lists of customers, and list where customers, register and holdings do not agree.

    With no files it compares only. `take_back` undoes a list by its number first. A dry run keeps and tells nothing.
    """
    if take_back is not None:
        take_customers_back(take_back)
    report = take_customers(supplier, uris or [], dry_run=dry_run)
    put_away(supplier or "", uris or [], only_copies=dry_run)
    send_notices()
    return report
