"""The promised views of staff accounts. Those that show persons are for a role of their own."""

from __future__ import annotations

from schemas.warehouse.out_view import OutView

OUT_ACCOUNT = OutView(
    "out_account",
    "One row a staff account, as it is now.",
    {
        "account_id": "Surrogate id",
        "system": "Code of the system in the register",
        "library": "Sigel of the library that it belongs to",
        "kind": "personal, shared",
        "employment": "permanent, temporary, volunteer",
        "owner": "Who answers for a shared account",
        "contact": "E-mail of whom to ask about it",
        "status": "waiting, active, expired, inactive, retired",
        "expires_on": "Last valid day, in the system's zone; null: no end",
        "expiry_rule": "Rule that gave it",
        "mission_end_on": "Last day of the mission",
        "leaver_on": "Day from which it may be deactivated, as reported",
        "trained_on": "Day of the latest training",
        "rotated_on": "Day on which a shared account got its last new password",
        "roles": "JSON list of {role, scope, since}",
        "login": "Name of the account in the system",
        "version": "Rises with each change",
        "updated_at": "When it changed last",
    },
    "SELECT {columns} FROM core_account",
    is_personal=True,
)

OUT_ACCOUNT_ACTION = OutView(
    "out_account_action",
    "One row an account and rule: what a sweep did, or told, and why.",
    {
        "sweep_id": "Sweep",
        "account_id": "Account",
        "action": "expire, deactivate, reactivate, activate, retire, notify, flag",
        "rule": "Rule that fired",
        "reason": "In words, with the dates that it used",
        "due_on": "Day on which it was due, or about which it tells",
        "state": "planned, applied, held, dropped (planned anew, or changed since), reverted",
        "system": "Code of the system in the register",
        "swept_on": "The day that the sweep decided for",
    },
    """
    SELECT a.sweep_id, a.account_id, a.action, a.rule, a.reason, a.due_on, a.state, s.system, s.swept_on
    FROM core_account_action a JOIN core_account_sweep s ON s.sweep_id = a.sweep_id
    WHERE NOT s.is_preview
    """,
    is_personal=True,
)

OUT_ACCOUNT_RENEWAL = OutView(
    "out_account_renewal",
    "One row an account that a renewal campaign asked about.",
    {
        "system": "Code of the system in the register",
        "year": "The year that ends",
        "account_id": "Account",
        "library": "Sigel of the library that is asked",
        "expires_on": "Last valid day when it was asked",
        "decision": "renew, end; null: no answer",
        "until": "Last day that was asked for; null: as the rules have it",
        "decided_by": "Who said so",
        "decided_at": "When",
        "outcome": "asked, renewed, expired, unanswered",
        "renewed_until": "Last valid day that it got",
    },
    """
    SELECT c.system, c.year, r.account_id, r.library, r.expires_on, r.decision, r.until, r.decided_by, r.decided_at,
           r.outcome, r.renewed_until
    FROM core_account_renewal r JOIN core_account_campaign c ON c.campaign_id = r.campaign_id
    """,
    is_personal=True,
)

OUT_ACCOUNT_DOWNLOAD = OutView(
    "out_account_download",
    "Downloads by staff, a row a library, month and purpose. Says nothing about any person or title.",
    {
        "system": "Code of the system in the register",
        "library": "Sigel",
        "month": "First day of the month",
        "purpose": "lending, streaming, own",
        "downloads": "How many",
    },
    "SELECT {columns} FROM core_account_download",
)

OUT_ACCOUNT_LENDING = OutView(
    "out_account_lending",
    "Talking books that a library downloads for lending, and whether they are catalogued at title level.",
    {
        "system": "Code of the system in the register",
        "library": "Sigel",
        "title_number": "Number of the talking book",
        "isbn13": "Of the talking book, where it was given",
        "first_on": "First download for lending",
        "last_on": "Last one",
        "downloads": "How many",
        "bib_id": "The title in the catalogue; null: it is not catalogued",
        "checked_on": "Day on which the catalogue was asked last",
    },
    "SELECT {columns} FROM core_account_lending",
)

ACCOUNT_VIEWS = (
    OUT_ACCOUNT,
    OUT_ACCOUNT_ACTION,
    OUT_ACCOUNT_RENEWAL,
    OUT_ACCOUNT_DOWNLOAD,
    OUT_ACCOUNT_LENDING,
)
