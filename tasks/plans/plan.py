"""A plan in memory: the classes of change a run means to make, their hash, and the guards over them.

Pure. A flow computes its plan first, asks the guards, lets the free classes go on and holds the others (store.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.register.guards import GuardPolicy

HASH_LENGTH = 64


@dataclass(frozen=True)
class PlannedClass:
    """One class of change of a plan, such as every holding that a delivery would delete.

    `flow` and `scope` say whose plan it is (`supplier-ingest`, `delivery:NORDBOK/3f2a...`); a scope never names a
    surrogate id, so that the same plan has the same hash in another warehouse. `population` is what `planned` is
    counted out of. `detail_digest` (see `digest_of`) stands for every single change.
    """

    flow: str
    scope: str
    change_class: str
    planned: int
    population: int
    detail_digest: str = ""


@dataclass(frozen=True)
class GuardedClass:
    """What a guard said about a class: the largest count let through unasked, and the reason in words."""

    planned: PlannedClass
    limit: float
    is_held: bool
    reason: str


def digest_of(changes: Iterable[str]) -> str:
    """SHA-256, as hex, over every single change as a line of text; the order in which they come does not matter.

    A line is what stays the same until the decision: keys of the field (sigel, control number), not surrogate ids.
    """
    digest = hashlib.sha256()
    for change in sorted(changes):
        encoded = change.encode()
        # The length goes first, so that no line break inside a change can make two plans look alike.
        digest.update(b"%d:" % len(encoded))
        digest.update(encoded)
    return digest.hexdigest()


def plan_hash(classes: Iterable[PlannedClass]) -> str:
    """SHA-256, as hex, over canonical JSON of everything planned in `classes`, in any order.

    The same plan has the same hash on both engines and after a restart, a changed plan another. The population is left
    out: it is not planned, and it moves while a person thinks. Hash together only what one decision is to cover:
    a class that goes on leaves the plan once it is applied, and must not change the hash of one that waits.
    """
    rows = sorted([each.flow, each.scope, each.change_class, each.planned, each.detail_digest] for each in classes)
    canonical = json.dumps(rows, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def guard(planned_classes: Iterable[PlannedClass], policy: GuardPolicy) -> list[GuardedClass]:
    """What the guards of the register say about each class, in the order given.

    A class without a limit of its own is free: the register decides what is guarded.
    """
    return [_guarded(each, policy) for each in planned_classes]


def _guarded(planned: PlannedClass, policy: GuardPolicy) -> GuardedClass:
    limit = policy.limit_for(planned.flow, planned.change_class)
    if limit is None:
        return GuardedClass(planned, float(planned.population), False, f"{_counted(planned)}; no guard is set for this")
    let_through = limit.limit(planned.population)
    is_held = planned.planned > let_through
    reason = f"{_counted(planned)}; {let_through} {'is' if let_through == 1 else 'are'} let through unasked"
    return GuardedClass(planned, float(let_through), is_held, reason)


_DONE = {
    "replace": "replaced",
    "update": "changed",
    "delete": "deleted",
    "absent": "taken as deleted, because they are not in the file",
    "close": "closed",
    "expire": "set to expire",
    "renew": "renewed",
    "merge": "merged",
}


def _counted(planned: PlannedClass) -> str:
    """`12 of 340 holdings would be deleted`: classes are named `<thing>_<verb>`, as in guards.toml."""
    thing, _, verb = planned.change_class.rpartition("_")
    things = f"{thing.replace('_', ' ')}s"
    if verb == "create":
        return f"{planned.planned} {things} would be created, beside the {planned.population} that there are"
    of = f"{planned.planned} of {planned.population}"
    return f"{of} {things} would be {_DONE[verb]}" if thing and verb in _DONE else f"{of}: {planned.change_class}"
