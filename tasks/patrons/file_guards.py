"""Is this file what its sender promised, and like the one before? Pure checks; a finding that stops holds the file.

The limits are those of `[patron_source.file]` in the register. Nothing here knows a person: findings hold counts,
shares and names of fields.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

import orjson

from schemas.errors import DeliveryRejectedError
from schemas.patrons import PATHS, IncomingPerson
from schemas.register.patron_sources import PatronFileRules, PatronSource

FileRule: TypeAlias = Literal[
    "name",  # the name breaks the agreed pattern
    "charset",  # the bytes are not those of the declared character set
    "broken",  # not well-formed, or it breaks off
    "manifest",  # the manifest is not there, or says another count or sum
    "empty",  # a snapshot of nobody
    "stale",  # the same content as last time
    "size",  # bytes outside the window
    "count",  # persons outside the window
    "null_rate",  # a field is empty for many more persons than last time
    "change_rate",  # a field changes for many persons at once
]


class FileFinding(NamedTuple):
    """What is wrong with a file. Any finding holds it."""

    rule: FileRule
    text: str
    """In words, for the institution."""
    field: str | None = None
    """The path that it is about."""


class Manifest(NamedTuple):
    """What the sender says of a file."""

    persons: int | None
    sha256: str | None
    """64 hex digits."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What was found in one file; kept, it is the history that the next one is judged by."""

    name: str
    sha256: str
    """Of the bytes as they came (BUPS 1: after national ids were cut out)."""
    size: int
    """Bytes."""
    persons: int
    """That could be read."""
    rejected: int = 0
    defects: tuple[str, ...] = ()
    """Of the whole file, from its readers."""
    filled: Mapping[str, int] = field(default_factory=dict)
    """Path: persons that have a value in it."""


class FieldTally:
    """Counts the persons that have a value, by path. A person that is known from last time can be counted as then."""

    def __init__(self) -> None:
        self.persons = 0
        self.filled: Counter[str] = Counter()

    def add(self, filled: Iterable[str]) -> None:
        """One person, with the paths that have a value."""
        self.persons += 1
        self.filled.update(filled)


def filled_paths(person: IncomingPerson) -> list[str]:
    """The paths that have a value: neither absent nor null, and no empty list."""
    values = [path for path, value in person.values.items() if value is not None]
    return values + [path for path, items in person.lists.items() if items]


_BITS: Mapping[str, int] = {path: 1 << number for number, path in enumerate(PATHS)}
"""Stored (core_patron_source.filled): a new path goes to the end of `PATHS`, none is taken out."""


def filled_bits(filled: Iterable[str]) -> int:
    """The paths that have a value as one number, a bit a path."""
    bits = 0
    for path in filled:
        bits |= _BITS[path]
    return bits


def paths_of_bits(bits: int) -> list[str]:
    """The reverse of `filled_bits`."""
    return [path for path, bit in _BITS.items() if bits & bit]


class ByteTally:
    """Size, sum and character set of a file, fed with its bytes as they pass."""

    def __init__(self) -> None:
        self.size = 0
        self.has_high_bytes = False
        self.is_utf8 = True
        self._sum = hashlib.sha256()
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")

    def feed(self, content: bytes) -> None:
        """The next bytes."""
        self.size += len(content)
        self._sum.update(content)
        if content.isascii() and self._decoder.getstate()[0] == b"":
            return
        self.has_high_bytes = True
        if self.is_utf8:
            try:
                self._decoder.decode(content)
            except UnicodeDecodeError:
                self.is_utf8 = False
                self._decoder.reset()

    @property
    def sha256(self) -> str:
        """64 hex digits, of what was fed so far."""
        return self._sum.hexdigest()

    def judged(self, charset: str) -> list[FileFinding]:
        """Whether the bytes can be those of the declared character set."""
        ends_inside = self.is_utf8 and self._decoder.getstate()[0] != b""
        if charset == "utf-8" and (not self.is_utf8 or ends_inside):
            return [FileFinding("charset", "agreed is utf-8, but it holds bytes that are not")]
        if charset != "utf-8" and self.has_high_bytes and self.is_utf8 and not ends_inside:
            return [FileFinding("charset", f"agreed is {charset}, but it is utf-8")]
        return []


def read_manifest(content: bytes, file: str) -> Manifest:
    """A manifest: a JSON object with `persons` (a count), `sha256` (hex), or both. Raises `DeliveryRejectedError`."""
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise DeliveryRejectedError("it is no JSON object", file=file, remedy='send {"persons": N, "sha256": "..."}')
    persons, sha256 = document.get("persons"), document.get("sha256")
    count_is_right = persons is None or (isinstance(persons, int) and not isinstance(persons, bool) and persons >= 0)
    sum_is_right = sha256 is None or (isinstance(sha256, str) and re.fullmatch("[0-9A-Fa-f]{64}", sha256))
    if not count_is_right or not sum_is_right or (persons is None and sha256 is None):
        raise DeliveryRejectedError(
            "it says neither a count nor a sum that can be read",
            file=file,
            remedy='send {"persons": N, "sha256": "..."}',
        )
    return Manifest(persons, sha256.lower() if sha256 else None)


def judge_file(
    facts: FileFacts, source: PatronSource, last: FileFacts | None, manifest: Manifest | None = None
) -> list[FileFinding]:
    """All findings of one file, in the order in which they are to be told; none: it may be used.

    `last` is the file before it that was used, None for the first one of a source.
    """
    rules = source.file
    findings = [FileFinding("broken", each) for each in facts.defects]
    if rules.pattern and not re.fullmatch(rules.pattern, facts.name):
        findings.append(FileFinding("name", "its name is not as agreed"))
    findings += _by_manifest(facts, rules, manifest)
    if source.content == "snapshot" and facts.persons == 0:
        findings.append(FileFinding("empty", "it holds no person that can be read, and should hold everybody"))
    if last is None:
        return findings
    if rules.same_is_stale and facts.sha256 == last.sha256:
        findings.append(FileFinding("stale", "it is the same as last time: nobody renewed it"))
    if source.content == "snapshot" and last.persons >= rules.window_from:
        findings += _window("size", "bytes", facts.size, last.size, rules.window)
        findings += _window("count", "persons", facts.persons, last.persons, rules.window)
        findings += _emptied(facts, last, rules)
    return findings


def judge_changes(changed: Mapping[str, int], persons: int, rules: PatronFileRules) -> list[FileFinding]:
    """Fields that change for too many at once. `changed`: path to persons; `persons`: those that were known before."""
    if persons < rules.window_from or not persons:
        return []
    return [
        FileFinding("change_rate", f"changes for {count:,} of {persons:,} persons ({_share(count, persons)})", path)
        for path, count in sorted(changed.items())
        if count > rules.change_window * persons
    ]


def _by_manifest(facts: FileFacts, rules: PatronFileRules, manifest: Manifest | None) -> list[FileFinding]:
    if manifest is None:
        return [FileFinding("manifest", f"its manifest ({rules.manifest}) is not there")] if rules.manifest else []
    findings = []
    found = facts.persons + facts.rejected
    if manifest.persons is not None and manifest.persons != found:
        findings.append(FileFinding("manifest", f"it holds {found:,} persons, its manifest says {manifest.persons:,}"))
    if manifest.sha256 is not None and manifest.sha256 != facts.sha256:
        findings.append(FileFinding("manifest", "its sha256 is not that of its manifest"))
    return findings


def _window(rule: Literal["size", "count"], what: str, now: int, before: int, window: float) -> list[FileFinding]:
    if abs(now - before) <= window * before:
        return []
    return [FileFinding(rule, f"{now:,} {what}, last time {before:,}: more than {window:.0%} away")]


def _emptied(facts: FileFacts, last: FileFacts, rules: PatronFileRules) -> list[FileFinding]:
    """Paths that are empty for a larger share of persons than last time, by more than the window."""
    if not facts.persons:
        return []
    findings = []
    for path, before in sorted(last.filled.items()):
        empty_before = 1 - before / last.persons
        empty_now = 1 - facts.filled.get(path, 0) / facts.persons
        if empty_now - empty_before > rules.null_window:
            text = f"empty for {empty_now:.1%} of the persons, last time for {empty_before:.1%}"
            findings.append(FileFinding("null_rate", text, path))
    return findings


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}"
