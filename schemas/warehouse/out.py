"""Layer `out_`: views for people and tools outside. Their columns are a promise (docs/warehouse.md).

Described once, as data: the DDL, the docs page and the tests come from `OUT_VIEWS`.
"""

from __future__ import annotations

from schemas.warehouse.out_accounts import ACCOUNT_VIEWS
from schemas.warehouse.out_collections import COLLECTION_VIEWS
from schemas.warehouse.out_exports import OUT_EXPORT
from schemas.warehouse.out_imports import OUT_IMPORT
from schemas.warehouse.out_joining import OUT_HOLDINGS_FRESHNESS, OUT_LIBRARY_APPLICATION, OUT_LIBRARY_CHECK
from schemas.warehouse.out_merging import MERGING_VIEWS
from schemas.warehouse.out_patrons import OUT_PATRON, OUT_PATRON_CHANGE, OUT_PATRON_FILE, OUT_PATRON_LOCK
from schemas.warehouse.out_suppliers import SUPPLIER_VIEWS
from schemas.warehouse.out_view import DELIVERY_COUNTS, OutView

OUT_DELIVERY = OutView(
    "out_delivery",
    "One row a delivery, with what became of it. Counts are of the latest outcomes.",
    {
        "delivery_id": "Surrogate id",
        "kind": "supplier, catalogue, collection, import",
        "sender": "Supplier code",
        "uri": "Where the file is now",
        "name": "File name as the sender wrote it",
        "sha256": "Of the file as it came",
        "bytes": "Size of the file",
        "state": "received, staged, held, matched, loaded, settled, rejected, reverted",
        "business_date": "The sender's day for it",
        "received_at": "When it was first seen",
        "finished_at": "When it was settled or rejected",
        "flow_run_id": "Prefect run that took it last",
        "hold_reason": "Why it waits or was rejected",
        "reverted_at": "When it was undone",
        "docs_uri": "Data Docs of its check",
        "is_preview": "Only a dry run has looked at it so far",
        **DELIVERY_COUNTS,
    },
    "SELECT {columns} FROM raw_delivery",
)

OUT_RECORD = OutView(
    "out_record",
    "One row a record of a delivery (embedded holdings are parts 1, 2, ...), with its latest outcome and the reason.",
    {
        "delivery_id": "Delivery",
        "position": "Piece of the delivery, from 1",
        "part": "0; 1, 2, ... for a holding made from an embedded 852",
        "byte_offset": "Where the piece starts in the (unpacked) file",
        "record_type": "bib, holding, unreadable",
        "outcome": "See the vocabulary; null until it is decided",
        "rule": "Stable id of the rule that decided",
        "reason": "The reason in words",
        "supplier_control_number": "001 as delivered",
        "title": "245",
        "isbn13": "The first valid 020 $a",
        "sigel": "Library of a holding",
        "bib_id": "The bib it became, matched or belongs to",
        "holding_id": "The holding it became or changed",
        "findings": "JSON list of remarks on the record: [code, text, field]",
    },
    """
    SELECT r.delivery_id, r.position, COALESCE(o.part, 0) AS part, r.byte_offset,
           COALESCE(o.record_type, r.record_type) AS record_type, o.outcome, o.rule,
           COALESCE(o.reason, r.reason) AS reason, r.supplier_control_number, r.title, r.isbn13,
           COALESCE(o.sigel, r.sigel) AS sigel, o.bib_id, o.holding_id, r.findings
    FROM raw_record r
    LEFT JOIN core_outcome o ON o.delivery_id = r.delivery_id AND o.position = r.position AND o.is_latest
    """,
)

OUT_BIB = OutView(
    "out_bib",
    "The union catalogue's bibs as they are now; deleted and merged ones stay, marked.",
    {
        "bib_id": "Surrogate id",
        "control_number": "001 of the union catalogue",
        "title": "245",
        "author": "Main person or body",
        "encoding_level": "leader/17; a blank is a space",
        "record_type": "leader/06",
        "carrier": "print, online, ...",
        "year": "Year of publication",
        "source": "Supplier code, or catalogue",
        "last_editor": "supplier, human, system",
        "is_national_bibliography": "042 $9 NB",
        "is_provisional": "Loaded after the review deadline",
        "version": "Rises with each change",
        "updated_at": "Last change",
        "merged_into": "The bib that took its place",
        "is_deleted": "Deleted",
    },
    "SELECT {columns} FROM core_bib",
)

OUT_BIB_ISBN = OutView(
    "out_bib_isbn",
    "Every 020 $a and $z of a bib.",
    {
        "bib_id": "Bib",
        "isbn13": "Canonical number; null where invalid",
        "raw": "As it stands in the record",
        "subfield": "a or z",
        "qualifier": "What stood around the number, and $q",
        "status": "valid, invalid, set",
    },
    "SELECT {columns} FROM core_bib_isbn",
)

OUT_HOLDING = OutView(
    "out_holding",
    "What each library holds.",
    {
        "holding_id": "Surrogate id",
        "bib_id": "Bib",
        "sigel": "Library",
        "shelf_mark": "Of the first line",
        "is_visible": "False for limited participation",
        "version": "Rises with each change",
        "updated_at": "Last change",
        "delivery_id": "Delivery that changed it last",
        "is_deleted": "No line is left",
    },
    """
    SELECT h.holding_id, h.bib_id, h.sigel, l.shelf_mark, h.is_visible, h.version, h.updated_at, h.delivery_id,
           h.is_deleted
    FROM core_holding h
    LEFT JOIN core_holding_line l ON l.holding_id = h.holding_id AND l.line_no = 1
    """,
)

OUT_HOLDING_LINE = OutView(
    "out_holding_line",
    "Lines of the holdings, with whose they are.",
    {
        "holding_id": "Holding",
        "line_no": "From 1",
        "tag": "024, 852, 856, ...",
        "owner": "Supplier code, or library",
        "shelf_mark": "852 $k $h $i $j $l $m",
        "public_note": "852 $z",
        "internal_note": "852 $x",
        "content": "JSON [indicators, [[code, value], ...]]",
    },
    "SELECT {columns} FROM core_holding_line",
)

OUT_MATCH = OutView(
    "out_match",
    "Every candidate considered for a bib of a delivery, with the evidence.",
    {
        "delivery_id": "Delivery",
        "position": "Piece of the delivery",
        "bib_id": "Candidate",
        "verdict": "match, review, no",
        "score": "Sum of points",
        "rule": "Stable id of the rule that decided",
        "evidence": "JSON: each feature with points, both values, and words",
        "created_at": "When it was considered",
        "decided_by": "Person who decided a review",
        "decided_at": "When",
    },
    "SELECT {columns} FROM core_match",
)

OUT_NOTICE = OutView(
    "out_notice",
    "The outbox: what was or will be told to whom.",
    {
        "notice_id": "Surrogate id",
        "kind": "digest, rejects, worklist, held, correction, feeds",
        "recipient": "E-mail address",
        "subject": "Subject line",
        "language": "sv, nb, da, en",
        "state": "queued, sending, sent, failed",
        "attempts": "How often sending was tried",
        "last_error": "Of the last attempt",
        "sent_at": "When it was handed over",
        "delivery_id": "Delivery it is about, where it is one",
        "run_id": "Run that queued it",
    },
    "SELECT {columns} FROM core_notice",
)

OUT_PLAN = OutView(
    "out_plan",
    "Classes of change that went over a limit, and what was decided.",
    {
        "plan_hash": "Hash of everything planned; approval is by it",
        "flow": "Flow that planned it",
        "scope": "What it is about",
        "class": "Class of change",
        "planned": "How many changes",
        "population": "Out of how many",
        "limit": "How many are let through unasked",
        "state": "held, approved, rejected, applied",
        "reason": "In words",
        "created_at": "When it was planned",
        "decided_by": "Who decided",
        "decided_at": "When",
    },
    'SELECT plan_hash, flow, scope, "class", planned, population, "limit", state, reason, created_at, decided_by,'
    " decided_at FROM core_plan",
)

OUT_REVIEW = OutView(
    "out_review",
    "Bibs that wait, or waited, for a cataloguer.",
    {
        "review_id": "Surrogate id",
        "delivery_id": "Delivery",
        "position": "Piece of the delivery",
        "state": "open, decided, withdrawn",
        "rule": "Why a person has to look",
        "reason": "In words",
        "owner": "Who has it: e-mail or name",
        "opened_at": "When it began to wait",
        "due_on": "After this day the bib is loaded as provisional",
        "decision": "match:<bib_id>, new, reject",
        "decided_by": "Who decided",
        "decided_at": "When it was decided or withdrawn",
    },
    "SELECT {columns} FROM core_review",
)

OUT_RUN = OutView(
    "out_run",
    "One row a flow run.",
    {
        "run_id": "Prefect's flow-run id, or one of our own",
        "flow": "Name of the flow",
        "subject": "Supplier, file or scope; of a decision who made it",
        "state": "running, done, held, failed",
        "summary": "JSON totals; of a failed run the error",
        "started_at": "When it began",
        "finished_at": "When it ended; null: it runs, or was killed",
    },
    "SELECT {columns} FROM core_run",
)

OUT_FEED = OutView(
    "out_feed",
    "Whether each feed came in its rhythm: one row a feed and day on which `feed-watch` ran.",
    {
        "checked_on": "Business date of the check",
        "kind": "supplier, patron",
        "sender": "Supplier code",
        "rule": "feed_as_expected, feed_missing, feed_stale, feed_shrunken",
        "expected_by": "The last moment by which it was due",
        "last_seen_at": "When something of it came last; null: never",
        "missed": "How many times in a row nothing came when it was due",
        "records": "Records that came for this time",
        "usual_records": "Median of earlier times; null: too few to say",
        "about_on": "The latest of the days that what came is about; null: nothing new came",
        "about_from_on": "What comes is to be about this day or a later one",
        "reason": "In words",
        "checked_at": "When it was checked",
    },
    "SELECT {columns} FROM core_feed_check",
)

OUT_VIEWS: tuple[OutView, ...] = (
    OUT_DELIVERY,
    OUT_RECORD,
    OUT_BIB,
    OUT_BIB_ISBN,
    OUT_HOLDING,
    OUT_HOLDING_LINE,
    OUT_MATCH,
    OUT_NOTICE,
    OUT_PLAN,
    OUT_REVIEW,
    OUT_RUN,
    OUT_FEED,
    *MERGING_VIEWS,
    OUT_EXPORT,
    OUT_IMPORT,
    OUT_PATRON,
    OUT_PATRON_LOCK,
    OUT_PATRON_CHANGE,
    OUT_PATRON_FILE,
    *ACCOUNT_VIEWS,
    *SUPPLIER_VIEWS,
    *COLLECTION_VIEWS,
    OUT_LIBRARY_APPLICATION,
    OUT_LIBRARY_CHECK,
    OUT_HOLDINGS_FRESHNESS,
)
