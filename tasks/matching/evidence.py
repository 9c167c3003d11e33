"""Two records in, evidence out: what speaks for and against their being one, in points and in words.

A missing value is neutral: it makes no item and no objection. A veto says that the two cannot be one book; a doubt says
that the points may not decide alone. What follows from them is judged in `tasks.matching.verdict`. Points, thresholds
and their source: `schemas.register.matching`, docs/matching.md.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas.register.matching import MatchingPolicy
from tasks.marc.carrier import carriers_agree
from tasks.matching.edition import compare_editions
from tasks.matching.features import MatchFeatures, features_of
from tasks.matching.isbn_sharing import IsbnComparison, compare_isbns
from tasks.matching.language import languages_conflict
from tasks.matching.persons import compare_persons
from tasks.matching.title import TitleComparison, compare_titles

__all__ = ["Evidence", "Item", "MatchFeatures", "Objection", "compare", "features_of"]

_TYPES = {
    "a": "text",
    "t": "text",
    "c": "score",
    "d": "score",
    "e": "map",
    "f": "map",
    "g": "film",
    "i": "spoken recording",
    "j": "music recording",
    "k": "picture",
    "m": "computer file",
    "o": "kit",
    "p": "mixed material",
    "r": "object",
}
_LEVELS = {"a": "part", "b": "part", "d": "part", "i": "serial", "s": "serial", "m": "whole", "c": "whole"}


_NOT_A_DISC = frozenset({"online", "computer"})
_new = tuple.__new__
"""Makes a named tuple in half the time; a pair has ten items."""


class Item(NamedTuple):
    """One feature compared. `incoming` and `existing` are what the two records say, for people."""

    feature: str
    points: float
    incoming: str
    existing: str
    text: str


class Objection(NamedTuple):
    """A veto or a doubt: a short stable name and the reason in words."""

    name: str
    text: str


class Evidence(NamedTuple):
    """What the comparison of two records gave."""

    items: tuple[Item, ...]
    vetoes: tuple[Objection, ...]
    doubts: tuple[Objection, ...]
    isbn: IsbnComparison
    title: TitleComparison
    identity: tuple[str, ...]
    """Numbers that can decide: `isbn_a`, `issn`, `control_number`, `035`, `ean`; the strongest first."""
    score: float
    """Sum of all points, to 4 decimals."""
    found_by: tuple[str, ...] = ()

    def points(self, feature: str) -> float:
        """Points of one feature; 0 where it was not compared."""
        return sum([each.points for each in self.items if each.feature == feature])

    def as_json(self) -> dict[str, Any]:
        """What `out_match.evidence` holds."""
        return {
            "score": self.score,
            "found_by": list(self.found_by),
            "features": [
                {
                    "feature": feature,
                    "points": round(points, 4),
                    "incoming": incoming,
                    "existing": existing,
                    "text": text,
                }
                for feature, points, incoming, existing, text in self.items
            ],
            "vetoes": [each._asdict() for each in self.vetoes],
            "doubts": [each._asdict() for each in self.doubts],
        }


@dataclass(slots=True)
class _Findings:
    """What is gathered while two records are compared."""

    incoming: MatchFeatures
    existing: MatchFeatures
    policy: MatchingPolicy
    items: list[Item] = field(default_factory=list)
    vetoes: list[Objection] = field(default_factory=list)
    doubts: list[Objection] = field(default_factory=list)

    def add(self, feature: str, points: float, incoming: str, existing: str, text: str) -> None:
        self.items.append(_new(Item, (feature, points, incoming, existing, text)))

    def has_author_or_year(self) -> bool:
        return any(each.points > 0 for each in self.items if each.feature in ("authors", "year"))

    def agree(self, feature: str, points: float, both: str, text: str) -> None:
        self.add(feature, points, both, both, text)

    @property
    def is_temporary(self) -> bool:
        levels, one, other = self.policy.temporary_levels, self.incoming.encoding_level, self.existing.encoding_level
        return bool((one and one in levels) or (other and other in levels))

    @property
    def is_serial(self) -> bool:
        levels, one, other = self.policy.serial_levels, self.incoming.bib_level, self.existing.bib_level
        return bool(one and other and one in levels and other in levels)


def compare(
    incoming: MatchFeatures, existing: MatchFeatures, policy: MatchingPolicy, found_by: Collection[str] = ()
) -> Evidence:
    """Compare two records feature by feature.

    `found_by` are the schemes that led to the candidate; `control_number` and `035` add what the records do not say
    themselves. The points are the same whichever record is called incoming.
    """
    findings = _Findings(incoming, existing, policy)
    isbn = compare_isbns(incoming.isbns, existing.isbns, policy)
    identity = _numbers(findings, isbn, found_by)
    title = _title(findings)
    _type_and_level(findings)
    _authors(findings)
    _edition_and_language(findings)
    _carrier(findings)
    _pages(findings)
    _year(findings)
    _publisher(findings)
    return Evidence(
        tuple(findings.items),
        tuple(findings.vetoes),
        tuple(findings.doubts),
        isbn,
        title,
        identity,
        round(sum([each.points for each in findings.items]), 4),
        tuple(sorted(found_by)),
    )


def _numbers(findings: _Findings, isbn: IsbnComparison, found_by: Collection[str]) -> tuple[str, ...]:
    """Points for shared numbers; returns those that can decide."""
    ours, theirs = findings.incoming, findings.existing
    weights = findings.policy.weights
    identity: list[str] = []
    if "control_number" in found_by:
        identity.append("control_number")
        findings.add("control_number", weights.number_shared, "ours", "ours", "the incoming record has our own number")
    if isbn.sharing == "a":
        identity.append("isbn_a")
    if isbn.sharing != "none":
        findings.add("isbn", isbn.points, _own(ours), _own(theirs), isbn.text)
    if related := (ours.isbns.own & theirs.isbns.related) | (theirs.isbns.own & ours.isbns.related):
        text = f"{_listed(related)} is another publication by 776 or 787 of the other side"
        findings.add("isbn_related", weights.isbn_related, _own(ours), _own(theirs), text)
    shared = ours.other_numbers & theirs.other_numbers
    if shared or "035" in found_by:  # the other side may have it as 003 + 001
        identity.append("035")
        if "control_number" not in found_by:
            numbers = _listed(shared) or "003 + 001"
            findings.agree("035", weights.number_shared, numbers, "the same number of the same source")
    if _issns(findings):
        identity.append("issn")
    if shared := ours.eans & theirs.eans:
        findings.agree("ean", weights.ean_shared, _listed(shared), "the same EAN")
        if ours.record_type in findings.policy.ean_types and isbn.sharing == "none":
            identity.append("ean")
    if isbn.sharing == "differ" and identity:
        findings.doubts.append(Objection("isbn_differs", isbn.text))
    return tuple(identity)


def _issns(findings: _Findings) -> bool:
    """Whether two serials share an ISSN. Of a monograph it is its series', which says nothing about the book."""
    ours, theirs = findings.incoming.issns, findings.existing.issns
    if not findings.is_serial or not ours or not theirs:
        return False
    if shared := ours & theirs:
        findings.agree("issn", findings.policy.weights.issn_shared, _listed(shared), "the same ISSN")
        return True
    findings.doubts.append(Objection("issn_differs", "both serials have an ISSN and share none"))
    return False


def _listed(numbers: Collection[str]) -> str:
    return ", ".join(sorted(numbers))


def _own(features: MatchFeatures) -> str:
    own, other_carrier, cancelled, sets, invalid, _related = features.isbns
    return _listed(own.union(other_carrier, cancelled, sets, invalid))


def _title(findings: _Findings) -> TitleComparison:
    ours, theirs, weights = findings.incoming, findings.existing, findings.policy.weights
    languages = (_only(ours.languages or theirs.languages), _only(theirs.languages or ours.languages))
    compared = compare_titles(ours.title, theirs.title, languages, findings.policy)
    if compared.likeness not in ("missing", "other_script"):
        points = {
            "equal": weights.title_equal,
            "close": weights.title_close,
            "part": weights.title_part,
            "near": weights.title_near,
            "differs": weights.title_differs,
        }[compared.likeness]
        findings.add("title", points, ours.title.for_people(), theirs.title.for_people(), compared.text)
    if compared.veto:
        findings.vetoes.append(Objection(compared.veto, compared.text))
    if compared.doubt:
        findings.doubts.append(Objection(compared.doubt, compared.text))
    return compared


def _only(languages: frozenset[str]) -> str:
    return next(iter(languages)) if len(languages) == 1 else ""


def _type_and_level(findings: _Findings) -> None:
    ours, theirs, weights = findings.incoming, findings.existing, findings.policy.weights
    one, other = ours.record_type, theirs.record_type
    if one and one == other:
        findings.add("record_type", weights.record_type, one, other, _TYPES.get(one, "same type"))
    elif one in _TYPES and other in _TYPES and _TYPES[one] != _TYPES[other]:
        # Texts on the web were once catalogued as computer files.
        is_online = not _NOT_A_DISC.isdisjoint((ours.carrier, theirs.carrier))
        is_old_practice = {one, other} == {"a", "m"} and is_online and carriers_agree(ours.carrier, theirs.carrier)
        if not is_old_practice:
            findings.vetoes.append(Objection("record_type", f"{_TYPES[one]} against {_TYPES[other]}"))
    one, other = ours.bib_level, theirs.bib_level
    if one and one == other:
        findings.add("bib_level", weights.bib_level, one, other, "same level")
    elif one in _LEVELS and other in _LEVELS:
        text = f"level {one} against {other}"
        findings.add("bib_level", weights.bib_level_differs, one, other, text)
        if _LEVELS[one] != _LEVELS[other]:
            findings.vetoes.append(Objection("bib_level", f"{_LEVELS[one]} against {_LEVELS[other]} ({text})"))


def _authors(findings: _Findings) -> None:
    ours, theirs = findings.incoming, findings.existing
    statements = (ours.statement, theirs.statement)
    compared = compare_persons(ours.persons, theirs.persons, statements, findings.policy)
    if compared is None:
        return
    one, other = ("; ".join(person.text for person in each.persons) or each.statement for each in (ours, theirs))
    points = findings.policy.weights.authors * compared.share
    findings.add("authors", points, one, other, compared.text)
    if compared.conflict:
        findings.vetoes.append(Objection("authors", f"{one} against {other}: {compared.text}"))
    if compared.main_differs:
        findings.doubts.append(Objection("main_author", f"{one} against {other}: the main authors differ"))


def _edition_and_language(findings: _Findings) -> None:
    ours, theirs, weights = findings.incoming, findings.existing, findings.policy.weights
    veto, text = compare_editions(ours.edition, theirs.edition)
    if veto:
        findings.vetoes.append(Objection(veto, text))
    elif ours.edition.numbers & theirs.edition.numbers:
        findings.add("edition", weights.edition, ours.edition.text, theirs.edition.text, "same edition number")
    one, other = ("+".join(sorted(each.languages)) for each in (ours, theirs))
    if languages_conflict(ours.languages, theirs.languages):
        findings.vetoes.append(Objection("language", f"language {one} against {other}"))
    elif one and other and weights.language:
        findings.add("language", weights.language, one, other, "same language")


def _carrier(findings: _Findings) -> None:
    one, other = findings.incoming.carrier, findings.existing.carrier
    if not one or not other:
        return
    if carriers_agree(one, other):
        findings.add("carrier", findings.policy.weights.carrier, one, other, "same carrier")
    else:
        findings.vetoes.append(Objection("carrier", f"{one} against {other}"))


def _same_extent(findings: _Findings) -> bool | None:
    one, other = findings.incoming.pages, findings.existing.pages
    if one is None or other is None:
        return None
    # A few pages are a matter of counting: the last blank page, a map on the cover.
    policy = findings.policy
    return abs(one - other) <= max(policy.pages_slack, policy.pages_tolerance * max(one, other))


def _pages(findings: _Findings) -> None:
    ours, theirs, weights = findings.incoming, findings.existing, findings.policy.weights
    same = _same_extent(findings)
    if same:
        findings.add("pages", weights.pages, ours.extent, theirs.extent, "same number of pages")
    elif same is False and not findings.is_temporary:  # pages of a book to come are a guess
        findings.add("pages", weights.pages_differ, ours.extent, theirs.extent, "different numbers of pages")


def _years_apart(findings: _Findings) -> int | None:
    ours, theirs = findings.incoming.years, findings.existing.years
    if not ours or not theirs:
        return None
    return min(abs(one - other) for one in ours for other in theirs)


def _year(findings: _Findings) -> None:
    ours, theirs, policy = findings.incoming, findings.existing, findings.policy
    apart = _years_apart(findings)
    if apart is None or findings.is_serial:
        return
    one, other = ("/".join(str(year) for year in sorted(each.years)) for each in (ours, theirs))
    if apart == 0:
        findings.add("year", policy.weights.year, one, other, "same year")
        return
    if findings.is_temporary:
        text = f"{apart} off, one side is preliminary"
        findings.add("year", policy.weights.year_differs_temporary, one, other, text)
    else:
        points = policy.weights.year_off_by_one if apart == 1 else policy.weights.year_differs
        findings.add("year", points, one, other, f"{apart} off")
    if (why := _not_a_reprint(findings, apart)) is not None:
        findings.doubts.append(why)


def _not_a_reprint(findings: _Findings, apart: int) -> Objection | None:
    """What makes another year more than a later printing, or a date announced too early."""
    ours, theirs, policy = findings.incoming, findings.existing, findings.policy
    if _one_sided_edition(ours, theirs) and (apart > policy.year_apart or not findings.is_temporary):
        text = f"only one side names an edition ({ours.edition.text or theirs.edition.text}), and the years differ"
        return Objection("edition_year", text)
    if findings.is_temporary:
        if apart > policy.temporary_year_apart:
            return Objection("year_apart", f"{apart} years apart, too many for a preliminary record")
        return None
    pages_apart = abs(ours.pages - theirs.pages) if ours.pages and theirs.pages else None
    if apart > policy.year_apart and (pages_apart is None or pages_apart > policy.pages_slack):
        return Objection("year_apart", f"{apart} years apart, and no equal number of pages")
    if pages_apart and pages_apart > policy.pages_apart * max(ours.pages or 0, theirs.pages or 0):
        return Objection("pages", f"{ours.pages} against {theirs.pages} pages, and the years differ")
    return None


def _one_sided_edition(ours: MatchFeatures, theirs: MatchFeatures) -> bool:
    """A second, later or revised edition on one side, nothing on the other."""
    return ours.edition.is_later != theirs.edition.is_later


def _publisher(findings: _Findings) -> None:
    ours, theirs = findings.incoming, findings.existing
    if not ours.publisher or not theirs.publisher:
        return
    one, other = (" ".join(sorted(each.publisher)) for each in (ours, theirs))
    if ours.publisher <= theirs.publisher or theirs.publisher <= ours.publisher:
        findings.add("publisher", findings.policy.weights.publisher, one, other, "same publisher")
    elif not findings.is_serial and not ours.publisher & theirs.publisher and (why := _not_an_imprint(findings)):
        findings.doubts.append(Objection("publisher", f"{one} against {other}, and {why}"))


def _not_an_imprint(findings: _Findings) -> str:
    """What makes another publisher's name more than another name of the same house; empty where nothing does."""
    if not findings.has_author_or_year():
        return "neither author nor year confirms"
    if (_years_apart(findings) or 0) > findings.policy.year_apart:
        return "the years are apart"
    if not findings.is_temporary and _same_extent(findings) is False:
        return "the numbers of pages differ"
    return ""
