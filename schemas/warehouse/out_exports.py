"""The promised view of the export to local systems."""

from __future__ import annotations

from schemas.warehouse.out_view import OutView

OUT_EXPORT = OutView(
    "out_export",
    "One row a file for a local system, and one where there was nothing to send or it failed.",
    {
        "export_id": "Surrogate id",
        "profile": "Name of the profile in the register",
        "kind": "changes (since the watermark), window (a past one, asked for again)",
        "state": "composed, delivered, nothing, withdrawn, failed",
        "after_change_no": "The window begins after this change of the catalogue",
        "to_change_no": "The last change in the window",
        "name": "Name of the file; null where none was made",
        "uri": "Where the file is",
        "sha256": "Of the file",
        "bytes": "Size of the file",
        "records": "Records in the file, holding records included",
        "bibs_written": "Bibs that are new or changed for the receiver",
        "bibs_deleted": "Bibs that the catalogue has deleted",
        "bibs_merged": "Bibs that another one took the place of",
        "bibs_unheld": "Bibs that none of the profile's libraries holds any more",
        "holdings_written": "Holdings that are new or changed",
        "holdings_deleted": "Holdings that are gone",
        "left_out": "Records that the format cannot carry",
        "characters_replaced": "Characters that the character set lacks",
        "reason": "Why it failed or was withdrawn",
        "run_id": "Run that made it",
        "created_at": "When the file was made",
        "delivered_at": "When it was read back from the receiver's place",
        "is_watermark": "The receiver has everything up to this one",
    },
    """
    SELECT e.export_id, e.profile, e.kind, e.state, e.after_change_no, e.to_change_no, e.name, f.uri, f.sha256,
           f.bytes, e.records, e.bibs_written, e.bibs_deleted, e.bibs_merged, e.bibs_unheld, e.holdings_written,
           e.holdings_deleted, e.left_out, e.characters_replaced, e.reason, e.run_id, e.created_at, e.delivered_at,
           CASE WHEN w.export_id = e.export_id THEN 1 = 1 ELSE 1 = 0 END AS is_watermark
    FROM core_export e
    LEFT JOIN core_export_file f ON f.export_id = e.export_id AND f.kind = 'records'
    LEFT JOIN core_export_watermark w ON w.profile = e.profile
    """,
)
