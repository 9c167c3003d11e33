"""Titles: what a record's title is for comparison, and how alike two titles are.

Trivia must not come between two records of one book: case, diacritics, punctuation, a leading article, where $a ends
and $b begins, "&" or "och", "2" or "II" or "two", a $b that says "a novel", a parallel title. What does tell books
apart must not drown in likeness: another number, another word in a long title, another $n.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from rapidfuzz.distance import Levenshtein

from schemas.marc import Field
from schemas.register.matching import MatchingPolicy
from tasks.marc.carrier import carrier_in_words
from tasks.marc.folding import fold, fold_loosely, is_latin, with_symbols_spelled
from tasks.matching.numbers import PART_WORDS, number_key, numbers_in, words_with_numbers

# Swedish, Norwegian and Danish, English, German, French, Dutch.
_ARTICLE_WORDS = "den det de en ett et ei the a an der die das ein eine le la les l un une het een t"
_ARTICLES = frozenset(_ARTICLE_WORDS.split())
_CONNECTIVES = frozenset(("och", "og", "and", "und", "et"))
_IGNORABLE = _ARTICLES | _CONNECTIVES
# Said of most of the shelf, so their absence says nothing.
_GENRES = {
    "novel": "roman|en roman|thriller|en thriller|deckare|en deckare|kriminalroman|krim|krimi|spanningsroman|"
    "spenningsroman|psykologisk thriller|novel|a novel|a thriller|a mystery|ein roman|un roman|recit|een roman|"
    "thriller roman|romaani",
    "stories": "noveller|novellsamling|berattelser|noveller och berattelser|fortellinger|fortaellinger|stories|"
    "short stories|erzahlungen|nouvelles|verhalen|novelleja",
    "poems": "dikter|dikt|lyrik|digte|poems|gedichte|poemes|gedichten|runoja",
}
_GENRE_OF = {words: genre for genre, listed in _GENRES.items() for words in listed.split("|")}
_BRACKETS_AT_END = re.compile(r"\s*[(\[]([^()\[\]]{2,40})[)\]][\s/:.]*$")
_DIGIT = re.compile(r"\d")
_CUT_OFF = re.compile(r"(\.\.\.|…)\s*$")

Likeness = Literal["missing", "other_script", "equal", "close", "part", "near", "differs"]


class Title(NamedTuple):
    """The title of one record. Texts keep one subfield a line, because where a line ends matters to numbers."""

    text: str
    """245 $a $b $n $p as compared: no statement of responsibility, parallel title, format or mere genre."""
    proper: str
    """245 $a"""
    parts: str
    """245 $n"""
    key: str
    variants: tuple[str, ...]
    """246, titles in another script (880), parallel titles."""
    is_cut_off: bool
    """It ends with an ellipsis."""
    genre: str
    """`novel`, `stories` or `poems`, where $b said that and nothing else."""
    genre_words: str
    """The words that said it, folded."""

    def for_people(self) -> str:
        """One line."""
        return " : ".join([line.rstrip(" /:;,.=") for line in self.text.split("\n")])


class TitleComparison(NamedTuple):
    """How alike two titles are. `veto` is `part` or `title_number`, `doubt` the same; empty where there is none."""

    likeness: Likeness
    text: str
    veto: str = ""
    doubt: str = ""


NO_TITLE = Title("", "", "", "", (), False, "", "")


def title_of(titles: Sequence[Field], variants: Sequence[Field], linked: Sequence[Field]) -> Title:
    """The title from 245, 246 and 880 fields (880 of other fields are passed over)."""
    if not titles:
        return NO_TITLE
    lines, parallels, genre = _lines(titles[0])
    of_title = [each for each in linked if (each.first("6") or "").startswith(("245", "246"))]
    further = [*parallels, *(_variant(each) for each in (*variants, *of_title))]
    text = "\n".join(value for _, value in lines)
    proper = lines[0][1] if lines and lines[0][0] == "a" else ""
    return Title(
        text,
        proper,
        "\n".join(value for code, value in lines if code == "n"),
        title_key(text),
        tuple(each for each in dict.fromkeys(further) if each) if further else (),
        _CUT_OFF.search(text) is not None if text[-1:] in ".… " else False,
        _GENRE_OF.get(genre, ""),
        genre,
    )


@lru_cache(maxsize=16384)
def title_key(text: str) -> str:
    """The folded key of a title: words run together, but two numbers never; without leading article and "and"."""
    words = title_words(text)
    if len(words) < 2 or not _DIGIT.search(text):
        return "".join(words)
    return "".join(
        word + " " if word[-1].isdigit() and after[:1].isdigit() else word
        for word, after in zip(words, (*words[1:], ""), strict=True)
    )


@lru_cache(maxsize=16384)
def title_words(text: str) -> tuple[str, ...]:
    """The folded words of a title, without leading article and "and"; all of them where nothing else is left."""
    words = fold(with_symbols_spelled(text)).split()
    start = 1 if len(words) > 1 and words[0] in _ARTICLES else 0
    return tuple([word for word in words[start:] if word not in _CONNECTIVES]) or tuple(words)


def compare_titles(one: Title, other: Title, languages: tuple[str, str], policy: MatchingPolicy) -> TitleComparison:
    """How alike two titles are. `languages` are those of the two texts, empty where unknown.

    Different numbers are a veto only where the titles are alike otherwise: titles that have nothing in common need no
    further reason.
    """
    if not one.key or not other.key:
        return TitleComparison("missing", "no title on one side")
    if one.genre and other.genre and one.genre != other.genre:
        return TitleComparison("near", f"{one.genre} against {other.genre}")
    if one.key == other.key or one.key == _key_with_genre(other) or _key_with_genre(one) == other.key:
        return TitleComparison("equal", "the same title")
    if one.parts and other.parts:
        if not _same_parts(one.parts, other.parts, languages):
            text = f"part {one.parts!r} is not part {other.parts!r}"
            return TitleComparison(_likeness(one, other, policy)[0], text, veto="part")
        one, other = _without_part(one), _without_part(other)
        if one.key == other.key:
            return TitleComparison("equal", "the same title and part")
    if title_key(number_key(one.text, languages[0])) == title_key(number_key(other.text, languages[1])):
        return TitleComparison("equal", "the same title, numbers read as figures")
    if (by_variant := _by_variant(one, other, languages)) is not None:
        return by_variant
    if (by_number := _differ_by_number(one, other, languages)) is not None:
        return by_number
    likeness, text = _likeness(one, other, policy)
    if likeness in ("differs", "other_script"):
        return TitleComparison(likeness, text)
    return _with_numbers(one, other, languages, likeness, text)


def _key_with_genre(title: Title) -> str:
    """The key with the words for the genre, which other records run into $a without a colon."""
    return title_key(f"{title.text}\n{title.genre_words}") if title.genre_words else title.key


def _lines(field: Field) -> tuple[list[tuple[str, str]], list[str], str]:
    """(code, value) of the compared subfields of a 245, its parallel titles, and the genre where $b was no more."""
    genre = ""
    lines: list[tuple[str, str]] = []
    parallels: list[str] = []
    has_statement = False
    previous = ""
    for code, value in field.subfields:
        if code and code in "abnp":
            is_parallel = code == "b" and (previous.rstrip()[-1:] == "=" or value.lstrip()[:1] == "=")
            if is_parallel:
                parallels.append(value.lstrip(" =").rstrip(" /"))
            elif code == "b" and (named := fold(value)) in _GENRE_OF:
                genre = named
            else:
                lines.append((code, value))
            previous = value
        elif code == "c":
            has_statement = True
    if lines:
        code, last = lines[-1]
        if not has_statement and " / " in last:
            last = last[: last.index(" / ")]
        lines[-1] = (code, last)
        lines[0] = (lines[0][0], _without_format(lines[0][1]))
        for place, (code, line) in enumerate(lines):
            if " = " in line:
                first, _, parallel = line.partition(" = ")
                lines[place] = (code, first)
                parallels.append(parallel)
        code, last = lines[-1]
        beginning, colon, end = last.rpartition(" : ")
        if colon and (named := fold(end)) in _GENRE_OF:
            lines[-1], genre = (code, beginning), named
    return lines, parallels, genre


def _without_format(text: str) -> str:
    """A title without a format in brackets at its end: "Havet (e-bok)"."""
    if text.rstrip(" /:.")[-1:] not in (")", "]"):
        return text
    bracket = _BRACKETS_AT_END.search(text)
    return text[: bracket.start()] if bracket and carrier_in_words(bracket.group(1)) else text


def _variant(field: Field) -> str:
    return "\n".join(value for code, value in field.subfields if code in "abnp")


def _without_part(title: Title) -> Title:
    """A title without its $n, once that has been compared: "Vol. 1" and "Första delen" are not alike in letters."""
    text = "\n".join(line for line in title.text.split("\n") if line not in title.parts.split("\n"))
    return title._replace(text=text, parts="", key=title_key(text))


def _same_parts(one: str, other: str, languages: tuple[str, str]) -> bool:
    if fold(one) == fold(other):
        return True
    ours, theirs = numbers_in(one, languages[0]), numbers_in(other, languages[1])
    # "2" alone on its line and "Band två" are the same part; without numbers, different words are different parts.
    return bool(ours) and _all_values(one, ours) == _all_values(other, theirs)


def _all_values(part: str, numbers: tuple[str, ...]) -> tuple[str, ...]:
    return numbers or tuple(fold(part).split())


def _by_variant(one: Title, other: Title, languages: tuple[str, str]) -> TitleComparison | None:
    """The title of one side stands in 246 or 880 of the other."""
    for ours, theirs, language in ((one, other, languages[1]), (other, one, languages[0])):
        for variant in theirs.variants:
            if title_key(variant) == ours.key:
                more = Counter(numbers_in(theirs.text, language)) - Counter(numbers_in(variant, language))
                doubt = "title_number" if more and not _is_period(more) else ""
                return TitleComparison("close", "the title is a further title (246, 880) of the other", doubt=doubt)
    return None


def _likeness(one: Title, other: Title, policy: MatchingPolicy) -> tuple[Likeness, str]:
    """Likeness of two titles that are not equal, numbers aside."""
    ours, theirs = " ".join(title_words(one.text)), " ".join(title_words(other.text))
    if is_latin(ours) != is_latin(theirs):
        return "other_script", "the titles are in two scripts"
    if fold_loosely(ours) == fold_loosely(theirs):
        return "close", "the same title but for å/aa, ä/ae, ö/oe"
    shorter, longer = (one, other) if len(one.key) <= len(other.key) else (other, one)
    if found := _beginning(shorter, longer, policy):
        return found
    ratio = Levenshtein.normalized_similarity(ours, theirs, score_cutoff=policy.title_close_ratio)
    if ratio and _words_alike(title_words(one.text), title_words(other.text), policy):
        return "close", f"titles {ratio:.0%} alike"
    if ratio:
        return "near", f"titles {ratio:.0%} alike, but a word differs"
    if Counter(title_words(one.text)) == Counter(title_words(other.text)):
        return "near", "the same words in another order"
    if title_key(one.proper) == title_key(other.proper):
        if set(title_words(shorter.text)) <= set(title_words(longer.text)):
            return "part", "equal but for words missing in $b or $p"
        return "near", "the same $a, different $b or $p"
    return "differs", "different titles"


def _beginning(shorter: Title, longer: Title, policy: MatchingPolicy) -> tuple[Likeness, str] | None:
    """One title is the beginning of the other: a missing $b or $p, or a title cut off by a short field."""
    if shorter.key == title_key(longer.proper):
        return "part", "equal but for a missing $b or $p"
    ours, theirs = " ".join(title_words(shorter.text)), " ".join(title_words(longer.text))
    if not theirs.startswith(ours):
        return None
    in_word = theirs[len(ours)] != " "
    if len(ours) >= policy.title_prefix_length:
        if in_word or shorter.is_cut_off:
            return "close", "one title is cut off"
        return "part", "one title is the beginning of the other"
    return ("part", "one title is cut off") if shorter.is_cut_off else None


def _words_alike(one: tuple[str, ...], other: tuple[str, ...], policy: MatchingPolicy) -> bool:
    """Whether two titles differ by spelling only: no word has become another word."""
    ours, theirs = Counter(one) - Counter(other), Counter(other) - Counter(one)
    left = [word for word in one if word in ours and word not in _IGNORABLE]
    right = [word for word in other if word in theirs and word not in _IGNORABLE]
    if not left and not right:
        return [word for word in one if word not in _IGNORABLE] == [word for word in other if word not in _IGNORABLE]
    if "".join(left) == "".join(right):
        return True  # written in one word or in two
    return len(left) == len(right) and all(
        _same_word(first, second, policy) for first, second in zip(left, right, strict=True)
    )


def _same_word(one: str, other: str, policy: MatchingPolicy) -> bool:
    """One letter off in a long word, its first letter and its figures apart."""
    if min(len(one), len(other)) < policy.title_word_length or one[0] != other[0]:
        return False
    if any(letter.isdigit() for letter in one + other):
        return False
    return Levenshtein.distance(one, other, score_cutoff=1) <= 1


def _differ_by_number(one: Title, other: Title, languages: tuple[str, str]) -> TitleComparison | None:
    """Nothing but numbers tells two titles apart ("Fysik 1", "Fysik 2", "Fysik")."""
    ours, theirs = numbers_in(one.text, languages[0]), numbers_in(other.text, languages[1])
    if ours == theirs:
        return None
    if _words_only(one.text, languages[0]) != _words_only(other.text, languages[1]):
        return None
    return _with_numbers(one, other, languages, "near", "equal but for the numbers")


def _words_only(text: str, language: str) -> list[str]:
    words = words_with_numbers(text, language)
    return [word for word, is_number in words if not is_number and word not in PART_WORDS and word not in _IGNORABLE]


def _with_numbers(
    one: Title, other: Title, languages: tuple[str, str], likeness: Likeness, text: str
) -> TitleComparison:
    """Numbers of two titles that are alike: different ones veto, one-sided ones are a doubt."""
    ours, theirs = Counter(numbers_in(one.text, languages[0])), Counter(numbers_in(other.text, languages[1]))
    if ours == theirs:
        doubt = "part" if bool(one.parts) != bool(other.parts) else ""
        return TitleComparison(likeness, text, doubt=doubt)
    only_ours, only_theirs = ours - theirs, theirs - ours
    if only_ours and only_theirs:
        words = f"number {', '.join(sorted(only_ours))} is not {', '.join(sorted(only_theirs))}"
        return TitleComparison(likeness, words, veto="title_number")
    more = only_ours or only_theirs
    if _is_period(more):
        return TitleComparison(likeness, text)
    return TitleComparison(likeness, f"only one title has {', '.join(sorted(more))}", doubt="title_number")


def _is_period(numbers: Counter[str]) -> bool:
    """ "1939-1945" in a subtitle: two years or more are a subject, not the number of a volume."""
    return len(numbers) > 1 and all(len(number) == 4 and number.isdigit() for number in numbers)
