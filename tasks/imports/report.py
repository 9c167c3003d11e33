"""The plan of an import as a page: what would become of its records, and some of them before and after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tasks.imports.planning import Planned
from tasks.imports.samples import Sample

MOST_PLANS = 20
_SAID = {
    "created": "New bibs",
    "replaced": "Bibs that are replaced",
    "kept": "Bibs that stay as the catalogue has them",
    "review": "Bibs for a cataloguer",
    "rejected": "Bibs that are rejected",
}


def as_markdown(title: str, plans: Mapping[str, Planned]) -> str:
    """The artifact of a run: for each file (by name) its counts, its plan and its samples."""
    lines = [f"# {title}", ""]
    for name, each in list(plans.items())[:MOST_PLANS]:
        lines += [f"## {_escaped(name)}", "", each.reason, ""]
        lines += [f"Plan `{each.plan_hash}`: {each.state}.", ""] if each.plan_hash else []
        lines += _samples(each.samples)
    if len(plans) > MOST_PLANS:
        lines.append(f"The first {MOST_PLANS} of {len(plans)} files; the others are in `out_import`.")
    return "\n".join(lines)


def _samples(samples: Sequence[Sample]) -> Iterable[str]:
    heading = ""
    for each in samples:
        if each.outcome != heading:
            heading = each.outcome
            yield from ("", f"### {_SAID.get(heading, heading)}", "")
        met = f", bib {each.bib}" if each.bib else ""
        yield f"**Record {each.position}{met}**: {_escaped(each.title) or 'no title'}. {_escaped(each.reason)}"
        yield ""
        for words, some in (
            ("In the record", each.taken),
            ("In the catalogue", each.becomes),
            ("Holding", each.holdings),
        ):
            yield from (f"* {words}: {_escaped(one)}" for one in some)
        yield ""


def _escaped(text: str) -> str:
    """What a record says never becomes markup."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in text)
