"""The words of e-mails: one TOML file a language in phrases/, and how a phrase is said.

Adding a language is adding a file: no compile step, no code, and a librarian can read and correct it. (gettext would
bring plural rules for Slavic and Baltic languages, at the price of .po files, a compiler and a dependency; the
languages of the Nordic countries and Belgium all have two forms.) English is the source: what another language does
not say is said in English, and a test names the phrase that is missing.

A reason is keyed by the id of the rule that gave it. Where no language knows the rule, the English words that the
warehouse keeps with it are used as they are.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path

from schemas.errors import ConfigurationError

PHRASES = Path(__file__).parent / "phrases"
SOURCE_LANGUAGE = "en"
_COUNT_FORMS = {"one", "other"}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something happened: the rule's id, what it was about, and the warehouse's English words for it."""

    rule: str
    text: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grammar:
    """The `[language]` table of a phrase file."""

    name: str
    conjunction: str
    date_form: str
    months: tuple[str, ...]
    thousands: str
    decimal: str
    csv_separator: str
    takes_one: tuple[int, ...] = (1,)
    aliases: tuple[str, ...] = ()


class Phrases:
    """Everything that is said in one language."""

    def __init__(self, code: str, grammar: Grammar, phrases: Mapping[str, str], source: Phrases | None) -> None:
        self.code = code
        self.grammar = grammar
        self.phrases = phrases
        self._source = source

    def _find(self, key: str) -> str | None:
        found = self.phrases.get(key)
        if found is None and self._source is not None:
            found = self._source._find(key)
        return found

    def about(self, sender_kind: str) -> Phrases:
        """The same, but what the table `[sender_kind]` says otherwise is said so: an import profile is no supplier."""
        own = f"{sender_kind}."
        otherwise = {key.removeprefix(own): phrase for key, phrase in self.phrases.items() if key.startswith(own)}
        source = self._source.about(sender_kind) if self._source is not None else None
        return Phrases(self.code, self.grammar, {**self.phrases, **otherwise}, source)

    def say(self, key: str, /, **values: object) -> str:
        """The phrase `key` with its `{places}` filled. Raises KeyError for a key that English does not have, or a
        place without a value: both are mistakes in a template.
        """
        found = self._find(key)
        if found is None:
            raise KeyError(f"no phrase {key!r} in any language")
        return found.format(**values)

    def say_if_known(self, key: str, /, **values: object) -> str | None:
        """The phrase, or None where no language has it or it asks for a value that is not there."""
        found = self._find(key)
        if found is None or not _places(found) <= values.keys():
            return None
        return found.format(**values)

    def count(self, key: str, number: int, /, **values: object) -> str:
        """The form of the phrase `key` for `number`, which is its `{n}`."""
        form = "one" if number in self.grammar.takes_one else "other"
        return self.say(f"{key}.{form}", n=self.number(number), **values)

    def reason(self, reason: Reason, section: str = "reason", /, **context: object) -> str:
        """The reason in words: this language's phrase for the rule, else English's, else the warehouse's own text.

        `context` holds values every phrase of the section may use, such as the library's name.
        """
        known = self.say_if_known(f"{section}.{reason.rule}", **{**context, **reason.parameters})
        return known or f"{reason.text[:1].upper()}{reason.text[1:]}" or reason.rule

    def number(self, number: int) -> str:
        """A whole number with the language's thousands separator."""
        return f"{number:,}".replace(",", self.grammar.thousands)

    def points(self, points: float) -> str:
        """Evidence points with sign and two decimals; a real minus sign, so that it cannot be read as a dash."""
        return f"{points:+.2f}".replace(".", self.grammar.decimal).replace("-", "\N{MINUS SIGN}")

    def limit(self, limit: float) -> str:
        """A limit as a number, without decimals where it has none."""
        return self.number(int(limit)) if limit == int(limit) else f"{limit:g}".replace(".", self.grammar.decimal)

    def day(self, day: date) -> str:
        """A date as people write it, with the month in words: 03/04 means two days in Europe."""
        return self.grammar.date_form.format(day=day.day, month=self.grammar.months[day.month - 1], year=day.year)

    def series(self, items: Iterable[str]) -> str:
        """`a, b and c`."""
        *first, last = items
        return f"{', '.join(first)} {self.grammar.conjunction} {last}" if first else last


class PhraseBook:
    """All languages of a folder of phrase files.

    Raises ConfigurationError naming the file, the key and what is wrong when a file cannot be used.
    """

    def __init__(self, folder: Path = PHRASES) -> None:
        files = sorted(folder.glob("*.toml"))
        if not any(path.stem == SOURCE_LANGUAGE for path in files):
            raise ConfigurationError(
                "the phrases of English are missing", file=str(folder), remedy=f"put back {SOURCE_LANGUAGE}.toml"
            )
        self.source = _read(folder / f"{SOURCE_LANGUAGE}.toml", None)
        others = [_read(path, self.source) for path in files if path.stem != SOURCE_LANGUAGE]
        self._by_code = {each.code: each for each in (self.source, *others)}
        self._by_alias = {alias: each for each in others for alias in each.grammar.aliases}

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages there are, sorted."""
        return tuple(sorted(self._by_code))

    def language(self, code: str) -> Phrases:
        """The phrases for `code`, by file name, then by alias (`no` is Bokmål); English where there is none."""
        wanted = code.strip().lower()
        return self._by_code.get(wanted) or self._by_alias.get(wanted) or self.source


@cache
def standard_book() -> PhraseBook:
    """The languages that come with Samkat, read once."""
    return PhraseBook()


def _read(path: Path, source: Phrases | None) -> Phrases:
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"not readable as TOML: {error}", file=str(path)) from error
    language = tables.pop("language", None)
    if not isinstance(language, dict):
        raise ConfigurationError("the table [language] is missing", file=str(path), remedy="see phrases/en.toml")
    phrases: dict[str, str] = {}
    for key, value in tables.items():
        _flatten(path, key, value, phrases)
    return Phrases(path.stem, _grammar(path, language), phrases, source)


def _grammar(path: Path, language: Mapping[str, object]) -> Grammar:
    lists = {key: tuple(value) for key, value in language.items() if isinstance(value, list)}
    try:
        grammar = Grammar(**{**language, **lists})  # type: ignore[arg-type]
    except TypeError as error:
        raise ConfigurationError(str(error), file=str(path), field="[language]") from error
    if len(grammar.months) != 12:
        raise ConfigurationError(f"{len(grammar.months)} months, not 12", file=str(path), field="[language] months")
    return grammar


def _flatten(path: Path, key: str, value: object, phrases: dict[str, str]) -> None:
    """Adds `value` under its dotted key; a wrong phrase is named here rather than when an e-mail is due."""
    if isinstance(value, dict):
        if _COUNT_FORMS & value.keys() and value.keys() != _COUNT_FORMS:
            raise ConfigurationError("a counted phrase needs `one` and `other`, no more", file=str(path), field=key)
        for name, inner in value.items():
            _flatten(path, f"{key}.{name}", inner, phrases)
    elif isinstance(value, str):
        try:
            _places(value)
        except ValueError as error:
            raise ConfigurationError(f"{error} in {value!r}", file=str(path), field=key) from error
        phrases[key] = value
    else:
        raise ConfigurationError(f"{value!r} is not a phrase", file=str(path), field=key)


def _places(phrase: str) -> set[str]:
    """The names of a phrase's `{places}`."""
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name is not None}
