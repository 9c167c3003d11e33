"""Promised views of bibs that are one: every merge and split, and the pairs that look like one."""

from __future__ import annotations

from schemas.warehouse.out_view import OutView

OUT_BIB_MERGE = OutView(
    "out_bib_merge",
    "One row a merge of two bibs: who, why, on what evidence; and how it was undone, where it was.",
    {
        "merge_id": "Surrogate id",
        "survivor_id": "The bib that stays",
        "survivor_number": "Its control number",
        "merged_id": "The bib whose numbers lead to it since",
        "merged_number": "Its control number",
        "rule": "asked, duplicate, review, catalogue; forced where objections were overruled",
        "reason": "Why, in words",
        "objections": "JSON list of what was overruled",
        "score": "Points of the two records, as matching counts them; null where it was not counted",
        "evidence": "JSON as in out_match",
        "by": "Who merged: a person, or catalogue",
        "delivery_id": "The delivery, where one brought it",
        "run_id": "The run that did it: `samkat revert RUN` undoes all of it",
        "merged_at": "When",
        "split_at": "When they were parted again; null: they are one",
        "split_by": "Who parted them",
        "split_reason": "Why, in words",
        "left_as_is": "JSON list of what the split left as it was",
        "holdings": "Holdings that moved or were joined",
    },
    """
    SELECT m.merge_id, m.survivor_id, s.control_number AS survivor_number, m.merged_id,
           b.control_number AS merged_number, m.rule, m.reason, m.objections,
           m.score, m.evidence, m.by, m.delivery_id, m.run_id, m.merged_at, m.split_at, m.split_by, m.split_reason,
           m.left_as_is,
           (SELECT count(*) FROM core_bib_merge_part p
            WHERE p.merge_id = m.merge_id AND p.role IN ('moved', 'emptied'))
    FROM core_bib_merge m
    JOIN core_bib s ON s.bib_id = m.survivor_id
    JOIN core_bib b ON b.bib_id = m.merged_id
    """,
)

OUT_DUPLICATE_CANDIDATE = OutView(
    "out_duplicate_candidate",
    "One row a pair of bibs that look like one, with the evidence of matching and what was decided.",
    {
        "duplicate_id": "Surrogate id; D4 in the worklist is 4",
        "first_id": "The bib with the lower id",
        "second_id": "The other one",
        "title": "245 of the first",
        "state": "open, aside (a veto or too few points), same, different, gone (no longer alike)",
        "verdict": "match, review; no where it was never alike by itself",
        "score": "Sum of the points",
        "rule": "As in out_match",
        "reason": "In words",
        "evidence": "JSON as in out_match; incoming is the second bib",
        "owner": "Who has it",
        "found_at": "When the pair was found first",
        "judged_at": "When its evidence was counted last",
        "decided_by": "Who decided",
        "decided_at": "When",
        "merge_id": "The merge that it ended in, or from which the decision was carried over",
    },
    """
    SELECT d.duplicate_id, d.first_id, d.second_id, b.title, d.state, d.verdict, d.score, d.rule, d.reason, d.evidence,
           d.owner, d.found_at, d.judged_at, d.decided_by, d.decided_at, d.merge_id
    FROM core_duplicate d
    JOIN core_bib b ON b.bib_id = d.first_id
    """,
)

MERGING_VIEWS = (OUT_BIB_MERGE, OUT_DUPLICATE_CANDIDATE)
