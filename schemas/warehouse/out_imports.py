"""The promised view of imports from other bases."""

from __future__ import annotations

from schemas.warehouse.out_view import OutView

OUT_IMPORT = OutView(
    "out_import",
    "One row a file of another base that was imported, or planned so; its records are in out_record.",
    {
        "delivery_id": "Delivery",
        "profile": "Code of the profile in the register",
        "name": "File name",
        "state": "Where the delivery stands: held until a person has approved the plan",
        "is_preview": "Only looked at by a dry run so far",
        "plan_hash": "Of the plan; null: not planned yet",
        "plan_state": "held, approved, rejected, applied; null after a dry run",
        "planned": "JSON: what the plan makes of bibs and holdings, counted",
        "samples": "JSON: some records of each outcome, before and after in words",
        "rules": "JSON: the profile as the file was read by",
        "planned_at": "When it was planned last",
        "decided_by": "Who decided",
        "decided_at": "When it was decided",
    },
    """
    SELECT i.delivery_id, i.profile, d.name, d.state, d.is_preview, i.plan_hash, p.state AS plan_state, i.planned,
           i.samples, i.rules, i.planned_at, p.decided_by, p.decided_at
    FROM raw_import i
    JOIN raw_delivery d ON d.delivery_id = i.delivery_id
    LEFT JOIN core_plan p ON p.plan_hash = i.plan_hash AND p.class = 'import'
    """,
)
