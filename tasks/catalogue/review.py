"""Bibs that wait for a cataloguer: deciding them, and loading what waited.

`match:<bib_id>` attaches to that bib, `new` makes one, `reject` refuses the record with its holdings. After the
deadline the bib is loaded as a flagged provisional record, so that a bought book can be lent; it is merged into its
match, or stays, when somebody decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.errors import UsageError
from schemas.outcomes import BibOutcome, HoldingOutcome
from schemas.warehouse.core import core_bib, core_match, core_outcome, core_review
from schemas.warehouse.stage import stage_holding
from tasks.catalogue.bib_store import Created, create_bibs
from tasks.catalogue.load_bibs import load_wave
from tasks.catalogue.load_holdings import load_holdings_of
from tasks.catalogue.loading import Loading
from tasks.catalogue.merging import by_delivery, merge_bibs
from tasks.catalogue.outcomes import OutcomeRow, latest_bib_outcomes, write_outcomes
from tasks.catalogue.staged_bibs import staged_bibs
from tasks.catalogue.stock import of_collections
from tasks.warehouse.ids import take_ids


@dataclass(frozen=True)
class Decision:
    """What a cataloguer decided about one review. `verdict` is match, new or reject; `bib_id` goes with match."""

    review_id: int
    verdict: str
    bib_id: int | None
    by: str


def parse_decision(review_id: int, text: str, by: str) -> Decision:
    """`match:<bib_id>`, `new` or `reject`; raises `UsageError` for anything else."""
    word, _, number = text.strip().partition(":")
    word = word.strip().lower()
    if word == "match" and number.strip().isdigit():
        return Decision(review_id, "match", int(number), by)
    if word in ("new", "reject") and not number:
        return Decision(review_id, word, None, by)
    raise UsageError(
        f"{text!r} is not a decision",
        field=f"review {review_id}",
        remedy="write match:<bib_id>, new or reject",
    )


def open_review(connection: Connection, review_id: int) -> sa.Row[Any]:
    """The review, locked. Raises `UsageError` where there is none."""
    row = connection.execute(
        sa.select(core_review).where(core_review.c.review_id == review_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise UsageError(f"there is no review {review_id}", remedy="`samkat review list` shows what waits")
    return row


def decide(connection: Connection, loading: Loading, review: sa.Row[Any], decision: Decision) -> str:
    """Carry out a decision; returns in words what happened. Deciding the same again is harmless.

    Raises `UsageError` where it was decided differently before, or the bib named is not there.
    """
    text = decision.verdict if decision.bib_id is None else f"match:{decision.bib_id}"
    if review.state == "decided":
        if review.decision == text:
            return "was decided so already"
        raise UsageError(
            f"review {review.review_id} was decided as {review.decision} by {review.decided_by}",
            remedy=f"revert delivery {review.delivery_id} to decide anew",
        )
    if review.state != "open":
        raise UsageError(
            f"review {review.review_id} was withdrawn: its delivery was reverted",
            remedy="nothing is left to decide; `samkat ingest --again` brings the delivery back",
        )
    if decision.bib_id is not None:
        _require_bib(connection, decision.bib_id)
    if review.provisional_bib_id is not None:
        said = _settle_provisional(connection, loading, review, decision)
    else:
        said = _load_decided(connection, loading, review.position, decision)
    if decision.bib_id is not None:
        said += _never_offered(connection, review, decision.bib_id)
    _close(connection, loading, review, decision, text)
    return said


def _never_offered(connection: Connection, review: sa.Row[Any], bib_id: int) -> str:
    """A word about a bib that was no candidate, with its title: it may be meant, or one digit of it may be wrong."""
    offered = sa.select(core_match.c.bib_id).where(
        core_match.c.delivery_id == review.delivery_id, core_match.c.position == review.position
    )
    statement = sa.select(core_bib.c.title).where(core_bib.c.bib_id == bib_id, core_bib.c.bib_id.not_in(offered))
    row = connection.execute(statement).one_or_none()
    return f"; bib {bib_id} ({row.title}) was no candidate" if row else ""


def _require_bib(connection: Connection, bib_id: int) -> None:
    row = connection.execute(
        sa.select(core_bib.c.is_deleted, core_bib.c.merged_into).where(core_bib.c.bib_id == bib_id)
    ).one_or_none()
    if row is None or (row.is_deleted and row.merged_into is None):
        raise UsageError(f"there is no bib {bib_id}", remedy="take a bib_id of the worklist")


def _load_decided(connection: Connection, loading: Loading, position: int, decision: Decision) -> str:
    staged = staged_bibs(connection, loading.delivery_id, [position])
    if not staged:
        raise UsageError(f"record {position} of delivery {loading.delivery_id} no longer waits")
    bib = staged[0]._replace(
        ending=decision.verdict,
        bib_id=decision.bib_id,
        rule=f"decided_{decision.verdict}",
        reason=f"decided by {decision.by}",
    )
    outcomes = load_wave(connection, loading, loading.change(connection), [bib], succeeds=True)
    counts = load_holdings_of(connection, loading, [position])
    holdings = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items())) or "no holdings"
    return f"bib {outcomes[0].outcome}; holdings: {holdings}"


def _settle_provisional(connection: Connection, loading: Loading, review: sa.Row[Any], decision: Decision) -> str:
    """The bib is in the catalogue already: keep it, or merge it into its match."""
    provisional = review.provisional_bib_id
    change = loading.change(connection)
    if decision.verdict == "match" and decision.bib_id is not None:
        if decision.bib_id == provisional:
            raise UsageError(
                f"bib {provisional} is the provisional bib itself",
                field=f"review {review.review_id}",
                remedy="decide new to keep it, or match with another bib",
            )
        why = "a provisional bib, decided to be this one"
        occasion = by_delivery(change, decision.by, "review", f"{why} (review {review.review_id})")
        merged = merge_bibs(connection, occasion, provisional, decision.bib_id)
        _note_merge(connection, loading, review.position, decision, merged.went_to if merged else {})
        return f"provisional bib {provisional} was merged into bib {decision.bib_id}"
    if decision.verdict == "reject":
        raise UsageError(
            f"bib {provisional} has been loaded since the deadline and may be on loan",
            field=f"review {review.review_id}",
            remedy=f"decide new or match, or revert delivery {review.delivery_id}",
        )
    connection.execute(
        sa.update(core_bib)
        .where(core_bib.c.bib_id == provisional)
        .values(is_provisional=False, change_no=change.change_no, updated_at=loading.now)
    )
    return f"bib {provisional} is no longer provisional"


def _note_merge(
    connection: Connection, loading: Loading, position: int, decision: Decision, moved: dict[int, tuple[int, int]]
) -> None:
    """The outcomes of the bib and its holdings after the merge: where they are now."""
    bib_id, reason = decision.bib_id, f"decided by {decision.by}"
    outcomes = [OutcomeRow(position, 0, "bib", BibOutcome.KEPT, "decided_match", reason, bib_id=bib_id)]
    rows = connection.execute(
        sa.select(core_outcome)
        .join(
            stage_holding,
            sa.and_(
                stage_holding.c.delivery_id == core_outcome.c.delivery_id,
                stage_holding.c.position == core_outcome.c.position,
                stage_holding.c.part == core_outcome.c.part,
            ),
        )
        .where(
            core_outcome.c.delivery_id == loading.delivery_id,
            core_outcome.c.is_latest,
            core_outcome.c.holding_id.in_(list(moved)),
            stage_holding.c.bib_position == position,
        )
        .order_by(core_outcome.c.position, core_outcome.c.part)
    ).all()
    for row in rows:
        holding_id, version = moved[row.holding_id]
        outcome = row.outcome if holding_id == row.holding_id else HoldingOutcome.UPDATED
        outcomes.append(
            OutcomeRow(
                row.position, row.part, "holding", outcome, "merged", f"moved with its bib, {reason}",
                sigel=row.sigel, bib_id=bib_id, holding_id=holding_id, version=version,
            )
        )  # fmt: skip
    write_outcomes(connection, loading.delivery_id, outcomes, loading.now, succeeds=True)


def _close(connection: Connection, loading: Loading, review: sa.Row[Any], decision: Decision, text: str) -> None:
    decided = {"decided_by": decision.by, "decided_at": loading.now}
    connection.execute(
        sa.update(core_review)
        .where(core_review.c.review_id == review.review_id)
        .values(state="decided", decision=text, **decided)
    )
    connection.execute(
        sa.update(core_match)
        .where(core_match.c.delivery_id == review.delivery_id, core_match.c.position == review.position)
        .values(**decided)
    )


def deliveries_with_overdue(connection: Connection, today: date) -> list[int]:
    """Deliveries that have a review past its deadline whose bib is not yet loaded."""
    return list(
        connection.execute(
            sa.select(core_review.c.delivery_id)
            .where(
                core_review.c.state == "open",
                core_review.c.due_on < today,
                core_review.c.provisional_bib_id.is_(None),
                core_review.c.delivery_id.not_in(of_collections()),
            )
            .distinct()
            .order_by(core_review.c.delivery_id)
        ).scalars()
    )


def overdue(connection: Connection, loading: Loading) -> list[sa.Row[Any]]:
    """Open reviews of the delivery whose deadline has passed and whose bib is not yet loaded.

    None of an import that creates no bibs: a deadline makes none either.
    """
    if loading.profile is not None and loading.profile.create == "none":
        return []
    return list(
        connection.execute(
            sa.select(core_review)
            .where(
                core_review.c.delivery_id == loading.delivery_id,
                core_review.c.state == "open",
                core_review.c.due_on < loading.today,
                core_review.c.provisional_bib_id.is_(None),
            )
            .order_by(core_review.c.position)
        )
    )


def load_provisionally(connection: Connection, loading: Loading, reviews: Sequence[sa.Row[Any]]) -> int:
    """Load overdue bibs as provisional ones, with the holdings that waited for them; returns how many."""
    if not reviews:
        return 0
    positions = [review.position for review in reviews]
    latest = latest_bib_outcomes(connection, loading.delivery_id, positions)
    waiting = [p for p in positions if p in latest and latest[p].outcome == BibOutcome.REVIEW]
    ids = take_ids(connection, "bib", len(waiting))
    created = [Created(position, bib_id) for position, bib_id in zip(waiting, ids, strict=True)]
    create_bibs(connection, loading.change(connection), created, is_provisional=True)
    reason = "nobody has decided within the deadline: loaded as provisional, to be merged when decided"
    write_outcomes(
        connection,
        loading.delivery_id,
        [
            OutcomeRow(each.position, 0, "bib", "created", "review_deadline", reason, bib_id=each.bib_id, version=1)
            for each in created
        ],
        loading.now,
        succeeds=True,
    )
    for each in created:
        connection.execute(
            sa.update(core_review)
            .where(core_review.c.delivery_id == loading.delivery_id, core_review.c.position == each.position)
            .values(provisional_bib_id=each.bib_id)
        )
    load_holdings_of(connection, loading, waiting, only=HoldingOutcome.WAITING)
    return len(created)
