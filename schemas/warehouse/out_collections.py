"""The promised views of joining libraries' collections."""

from __future__ import annotations

from schemas.warehouse.out_view import OutView

OUT_COLLECTION = OutView(
    "out_collection",
    "One row a file of joining libraries' stock, with how its rows ended.",
    {
        "delivery_id": "Delivery",
        "sender": "Sigel of the library; of several joined ones with +",
        "libraries": "JSON [[sigel, what the file calls it], ...]",
        "name": "File name",
        "state": "As in out_delivery",
        "creates_missing": "Bibs that the catalogue lacks were asked for",
        "rows_read": "Rows in; the sum of the next five",
        "matched": "Rows whose bib the catalogue has",
        "review": "Rows that a cataloguer has to look at",
        "not_found": "Rows that the catalogue lacks",
        "bad_isbn": "Rows not found whose only ISBN is wrong",
        "unreadable": "Rows that cannot be used",
        "plan_hash": "The plan that asks for approval; null where nothing was planned",
        "plan_state": "held, approved, rejected, applied",
        "received_at": "When the file was first seen",
        "reverted_at": "When it was undone",
    },
    """
    SELECT d.delivery_id, d.sender, c.libraries, d.name, d.state,
           CASE WHEN d.mode = 'create' THEN 1 = 1 ELSE 1 = 0 END AS creates_missing, c.rows_read, c.matched, c.review,
           c.not_found, c.bad_isbn, c.unreadable, p.plan_hash, p.state AS plan_state, d.received_at, d.reverted_at
    FROM raw_collection c
    JOIN raw_delivery d ON d.delivery_id = c.delivery_id
    LEFT JOIN core_plan p ON p.delivery_id = d.delivery_id AND p.class = 'holding_attach'
    WHERE NOT d.is_preview
    """,
)

OUT_COLLECTION_ROW = OutView(
    "out_collection_row",
    "One row a row of joining libraries' stock: what was found, why, and what has become of it since.",
    {
        "delivery_id": "Delivery",
        "position": "Row of the file, from 1",
        "byte_offset": "Where the row starts in the (unpacked) file",
        "ending": "What was found: matched, review, not_found, bad_isbn, unreadable",
        "rule": "Stable id of the rule that decided that",
        "reason": "The reason in words",
        "local_id": "Number of the record in the library's own system",
        "isbn": "The ISBNs as the library wrote them",
        "title": "As the library has it",
        "author": "As the library has it",
        "year": "As the library has it",
        "shelf_mark": "First shelf mark",
        "libraries": "Sigels that hold it",
        "outcome": "What has become of it: kept, created, review, rejected; null where it could not be read",
        "bib_id": "The bib that its holdings belong to now",
        "control_number": "001 of that bib",
    },
    """
    SELECT w.delivery_id, w.position, r.byte_offset, w.ending, w.rule, w.reason, w.local_id, w.isbn, w.title, w.author,
           w.year, w.shelf_mark, w.libraries, o.outcome, o.bib_id, b.control_number
    FROM raw_collection_row w
    LEFT JOIN raw_record r ON r.delivery_id = w.delivery_id AND r.position = w.position
    LEFT JOIN core_outcome o
      ON o.delivery_id = w.delivery_id AND o.position = w.position AND o.part = 0 AND o.is_latest
    LEFT JOIN core_bib b ON b.bib_id = o.bib_id
    """,
)

COLLECTION_VIEWS = (OUT_COLLECTION, OUT_COLLECTION_ROW)
