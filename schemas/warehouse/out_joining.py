"""The promised views of libraries that join, and of holdings that stand still."""

from __future__ import annotations

from schemas.warehouse.out_view import OutView

OUT_LIBRARY_APPLICATION = OutView(
    "out_library_application",
    "One row an application of a library to take part, with how far it has come.",
    {
        "application_id": "Surrogate id",
        "sigel": "The code that the library is to have",
        "name": "The library",
        "kind": "public, research, special, school",
        "participation": "registering, limited",
        "state": "refused, eligible, admitting, admitted, withdrawn, replaced (by a later application)",
        "contact": "Address of its e-mails",
        "language": "Language of its e-mails",
        "agreement_from": "First day of its agreement",
        "agreement_to": "Last day; null: open",
        "rules_met": "Rules of the latest checklist that are met",
        "rules_unmet": "Rules of the latest checklist that are not",
        "checked_on": "Business date of the last check",
        "entry_file": "Its file in the register's folder; null: it has none",
        "decided_by": "Who admitted or withdrew it",
        "decided_at": "When it was admitted or withdrawn",
        "reason": "Why it was withdrawn",
        "file_name": "Name of the file as it came",
        "sha256": "Of the application",
        "created_at": "When it came",
    },
    """
    SELECT a.application_id, a.sigel, a.name, a.kind, a.participation, a.state, a.contact, a.language,
           a.agreement_from, a.agreement_to,
           a.rules_met, a.rules_unmet,
           a.checked_on, CASE WHEN a.state = 'admitted' THEN a.entry_file END AS entry_file, a.decided_by,
           a.decided_at, a.reason, a.file_name, a.sha256, a.created_at
    FROM core_library_application a
    """,
)

OUT_LIBRARY_CHECK = OutView(
    "out_library_check",
    "One row a rule of a checklist; `is_latest` marks those that count now.",
    {
        "application_id": "Application",
        "sigel": "The code that the library is to have",
        "check_no": "Which checklist, from 1; a new one where it differs from the last",
        "seq": "Place in the checklist, from 1",
        "rule": "Stable id of the rule",
        "verdict": "met, unmet, not_asked",
        "reason": "Why, in words",
        "remedy": "What to do; empty where nothing is",
        "checked_on": "Business date of the first check that said so",
        "is_latest": "It is of the latest checklist",
    },
    """
    SELECT c.application_id, a.sigel, c.check_no, c.seq, c.rule, c.verdict, c.reason, c.remedy, c.checked_on,
           CASE WHEN c.check_no = a.check_no THEN 1 = 1 ELSE 1 = 0 END AS is_latest
    FROM core_library_check c
    JOIN core_library_application a ON a.application_id = c.application_id
    """,
)

OUT_HOLDINGS_FRESHNESS = OutView(
    "out_holdings_freshness",
    "One row a registering library and check: whether its holdings move.",
    {
        "checked_on": "Business date of the check",
        "sigel": "Library",
        "name": "The library",
        "is_stale": "Nothing has moved for the months of the register",
        "holdings": "Holdings that it had",
        "last_moved_at": "When one was last made, changed or deleted; null: never",
        "still_since_on": "That day, or the first day of its agreement if later",
        "months_still": "Whole months from then to the check",
        "limit_months": "As the register said",
        "is_latest": "It is of the latest check",
    },
    """
    SELECT f.checked_on, f.sigel, f.name, f.is_stale, f.holdings, f.last_moved_at, f.still_since_on, f.months_still,
           f.limit_months,
           CASE WHEN f.checked_on = (SELECT MAX(l.checked_on) FROM core_holdings_freshness l)
                THEN 1 = 1 ELSE 1 = 0 END AS is_latest
    FROM core_holdings_freshness f
    """,
)
