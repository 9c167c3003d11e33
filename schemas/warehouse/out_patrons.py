"""The promised views of patrons. They show persons: only a role of their own may read them."""

from __future__ import annotations

from schemas.warehouse.out_view import OutView

OUT_PATRON = OutView(
    "out_patron",
    "One row a person and institution, as it is now. Erased and merged persons are not there.",
    {
        "institution": "Code in the register",
        "primary_id": "As it came",
        "account_type": "EXTERNAL, INTERNAL, INTEXTAUTH",
        "user_group": "User group",
        "family_name": "Family name, legal",
        "given_name": "Given name, legal",
        "email": "The preferred one",
        "status": "ACTIVE, INACTIVE: as the library system is told",
        "state": "Of the lifecycle: staged, active, missing, grace, expired, inactive, erasable",
        "expires_on": "Last valid day, in the institution's zone",
        "expiry_rule": "Rule that gave it: pinned, explicit, lease, lease_running, term, missing, kept, unknown",
        "purge_on": "Day from which the person may be erased",
        "last_seen_on": "Last day on which any source had the person; null: no source",
        "affiliations": "JSON list of {source, user_group, library, department, valid_from, valid_to, state}",
        "is_confidential": "Protected identity",
        "protected": "JSON list of paths with a lock in force",
        "version": "Rises with each change",
        "updated_at": "When it changed last",
    },
    """
    SELECT p.institution, p.primary_id, p.account_type, p.user_group, p.family_name, p.given_name, p.email,
           CASE WHEN p.state IN ('staged', 'inactive', 'erasable') THEN 'INACTIVE' ELSE 'ACTIVE' END AS status,
           p.state, p.expires_on, p.expiry_rule, p.purge_on,
           (SELECT MAX(COALESCE(s.seen_on, (SELECT MAX(f.business_date) FROM raw_patron_file f
                                            WHERE f.source = s.source AND f.is_used)))
            FROM core_patron_source s WHERE s.person_id = p.person_id) AS last_seen_on,
           p.affiliations, p.is_confidential, p.protected, p.version, p.updated_at
    FROM core_patron p
    WHERE p.merged_into IS NULL AND p.state <> 'erased'
    """,
    is_personal=True,
)

OUT_PATRON_LOCK = OutView(
    "out_patron_lock",
    "One row a lock, those that are over included: what is protected, at which value, by whom, why and until when.",
    {
        "institution": "Code in the register",
        "primary_id": "As it is now",
        "path": "Path of the person",
        "item_type": "Of a list: the item's type; empty: a scalar, or the whole list",
        "kind": "pin, automatic, exempt",
        "held_value": "JSON; null is a value as any other",
        "by": "Who set it",
        "reason": "In words",
        "until": "Last day, inclusive; null: until it is released",
        "created_at": "When it was set",
        "released_at": "When it ended before its time",
    },
    """
    SELECT p.institution, p.primary_id, l.path, l.item_type, l.kind, l.held_value, l."by", l.reason, l.until,
           l.created_at, l.released_at
    FROM core_patron_lock l JOIN core_patron p ON p.person_id = l.person_id
    """,
    is_personal=True,
)

OUT_PATRON_CHANGE = OutView(
    "out_patron_change",
    "One row a decision that did something to a person, asked something, or kept something from being done.",
    {
        "run_id": "Run, receipt or edit that made it",
        "institution": "Code in the register",
        "primary_id": "As it was then; null once erased",
        "path": "Path; `person` for a person as a whole, `state` for a step of the lifecycle",
        "old": "JSON",
        "new": "JSON",
        "source": "Source that spoke; empty: staff, time or policy",
        "rule": "Stable id of the rule that decided",
        "class": "Class of change that the guards count; empty: free",
        "decision": "applied, suppressed, review, held",
        "reason": "In words; says nothing about the person",
        "changed_at": "When",
        "reverted_at": "When it was undone",
        "delivery_id": "The file, where it came from one",
    },
    """
    SELECT run_id, institution, NULLIF(primary_id, '') AS primary_id, path, old, new, source, rule, "class", decision,
           reason, changed_at, reverted_at, delivery_id
    FROM core_patron_change
    """,
    is_personal=True,
)

OUT_PATRON_FILE = OutView(
    "out_patron_file",
    "One row a file of persons, with what became of its rows. Says nothing about any person.",
    {
        "delivery_id": "Delivery",
        "institution": "Code in the register",
        "source": "Code of the patron source",
        "business_date": "The day it is about",
        "is_complete": "A whole snapshot that passed its checks: absence counts",
        "is_used": "Planned from: the next file is judged by it",
        "findings": "JSON list of [rule, text, field]",
        "national_ids_cut": "Lines that were cut out on receipt",
        "rows_read": "Rows of persons, unreadable ones included",
        "rows_unchanged": "Persons as they were",
        "rows_created": "New persons",
        "rows_changed": "Persons of whom something changed",
        "rows_kept": "Persons whose row was new, and of whom nothing changed",
        "rows_held": "Persons of whom a change waits for approval, and nothing else changed",
        "rows_quarantined": "Rows that cannot be placed: a person has to look",
        "rows_rejected": "Rows that cannot be read",
        "persons_missing": "Persons of the source that the file lacks",
        "persons_moved": "Persons that only time or absence moved",
    },
    "SELECT {columns} FROM raw_patron_file",
)
