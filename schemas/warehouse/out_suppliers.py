"""The promised views about suppliers: test deliveries, and the customers that each has reported."""

from __future__ import annotations

from schemas.warehouse.out_view import DELIVERY_COUNTS, OutView

OUT_TRIAL = OutView(
    "out_trial",
    "One row a test delivery and time it was tried, with what would have become of it.",
    {
        "trial_id": "Surrogate id",
        "supplier": "Supplier code",
        "name": "File name as the sender wrote it",
        "sha256": "Of the file",
        "uri": "Where the file is; null: it was handed over on the command line",
        "bytes": "Size of the file",
        "state": "tried, rejected",
        "is_ready": "Every needed rule of the checklist is met",
        "reason": "Why the file was rejected as a whole",
        **DELIVERY_COUNTS,
        "run_id": "Run that tried it",
        "tried_at": "When it was tried",
    },
    "SELECT {columns} FROM core_trial",
)

OUT_TRIAL_RECORD = OutView(
    "out_trial_record",
    "One row a record of a test delivery, with what would have become of it and why.",
    {
        "trial_id": "Test delivery",
        "position": "Piece of the file, from 1",
        "part": "0; 1, 2, ... for a holding made from an embedded 852",
        "byte_offset": "Where the piece starts in the (unpacked) file",
        "record_type": "bib, holding, unreadable",
        "outcome": "As in the vocabulary of out_record; unreadable",
        "rule": "Stable id of the rule",
        "reason": "The reason in words",
        "supplier_control_number": "001 as delivered",
        "title": "245, shortened",
        "isbn13": "The first valid one",
        "sigel": "Of a holding",
        "bib_id": "The bib that it would match; null where it would be new",
    },
    "SELECT {columns} FROM core_trial_record",
)

OUT_TRIAL_CHECK = OutView(
    "out_trial_check",
    "The checklist of each test delivery, a row a rule.",
    {
        "trial_id": "Test delivery",
        "seq": "Order of the checklist",
        "rule": "Stable id",
        "is_met": "Whether it holds",
        "is_needed": "Whether a real delivery has to wait for it",
        "reason": "What was found, in words",
    },
    "SELECT {columns} FROM core_trial_check",
)

OUT_SUPPLIER_CUSTOMER = OutView(
    "out_supplier_customer",
    "One row a library that a supplier has reported as its customer, as reported last.",
    {
        "supplier": "Supplier code",
        "sigel": "The library's",
        "name": "Name of the library, as the supplier has it",
        "email": "The library's contact, as the supplier has it",
        "ends_on": "Last day as a customer; null: open",
        "version": "How often something was said that was new",
        "first_reported_at": "When it was reported first",
        "reported_at": "When it was reported as it is now",
        "report_id": "File that said so",
        "has_findings": "Something does not agree: see out_customer_finding",
    },
    """
    SELECT c.supplier, c.sigel, c.name, c.email, c.ends_on, c.version,
           (SELECT f.reported_at FROM core_supplier_customer f
            WHERE f.supplier = c.supplier AND f.sigel = c.sigel AND f.version = 1) AS first_reported_at,
           c.reported_at, c.report_id,
           CASE WHEN EXISTS (SELECT 1 FROM core_customer_finding f
                             WHERE f.supplier = c.supplier AND f.sigel = c.sigel)
                THEN 1 = 1 ELSE 1 = 0 END AS has_findings
    FROM core_supplier_customer c
    WHERE c.is_latest
    """,
)

OUT_CUSTOMER_FINDING = OutView(
    "out_customer_finding",
    "Where reported customers, the register and the holdings do not agree, as the last comparison found it.",
    {
        "supplier": "Supplier code",
        "sigel": "The library's",
        "rule": "Stable id",
        "reason": "In words",
        "holdings": "Holdings of the library with lines of this supplier",
        "found_at": "When it was found first",
        "checked_at": "When it was looked at last",
    },
    "SELECT {columns} FROM core_customer_finding",
)

SUPPLIER_VIEWS = (OUT_TRIAL, OUT_TRIAL_RECORD, OUT_TRIAL_CHECK, OUT_SUPPLIER_CUSTOMER, OUT_CUSTOMER_FINDING)
