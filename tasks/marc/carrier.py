"""What a record describes: print, online, a disc, ... told from whatever field says it.

Old e-book records have only some of the signs that newer ones have (007, 008/23, 245 $h, 300, 337, 338, 533, an
856 40), and a record made from another one often keeps a sign that is no longer true. So the signs are asked in the
order of how far they can be trusted; the order stands in `carrier_of`. Rule: docs/matching.md, *Carrier*.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Protocol

from schemas.marc import Field, MarcRecord
from tasks.marc.folding import plain_letters
from tasks.marc.records import SUBFIELD_MARK, DividedFields, field_of

CARRIERS = frozenset(
    {
        "print",
        "large_print",
        "braille",
        "map_sheet",
        "microform",
        "online",
        "computer_disc",
        "computer",  # electronic, on what is not said
        "audio",  # a recording, on what is not said
        "audio_disc",
        "audio_tape",
        "audio_online",
        "video",
        "video_disc",
        "video_tape",
        "video_online",
        "kit",
        "object",
        "",  # nothing tells
    }
)

# What the fields with words say, first hit wins. Folded to plain letters; Nordic languages, English, German, French,
# Dutch, Finnish. The order matters: "CD-ROM" before "CD", "online (CD-bok)" is online.
_WORDS: tuple[tuple[str, str], ...] = (
    ("braille", r"braille|punktskri|blindenschrift|punt?schrift|pistekirjoitus"),
    ("large_print", r"large (print|type)|storstil|stor skrift|storskrift|magnaprint|grossdruck|gros caracteres"),
    ("microform", r"mi[ck]rofi(ch|lm|s)|mi[ck]ro-?form|microopaque|mikrokort"),
    (
        "audio_online",
        r"(ljud|lyd|audio|mp3)[ -]?(fil|datei|file|bestand)|fichier audio|mp3 ?[,:(-]* ?(download|nedladd)"
        r"|(streaming|streamad|download\w*|nedladdning\w*|nedlastbar|strommande) ?\w* ?(ljud|lyd|audio|horbuch|luister)"
        r"|e-?(ljud|lyd|audio)(bo[ok]|bog)"
        r"|(ljud|lyd|audio)-?(bo[ok]\w*|bog) ?[,:(]* ?(nedladdning|download|streaming|nedlastbar|digital|online)",
    ),
    ("computer_disc", r"cd-?rom|dvd-?rom|computer (optical )?dis[ck]|datorskiv|diskett|floppy|usb"),
    ("video_disc", r"dvd|blu-?ray|video-?dis[ck]|videoskiv|videolevy|videoplate|videodisque"),
    ("video_tape", r"vhs|video-?[ck]as+et|video-?band"),
    ("audio_tape", r"(ljud|lyd|audio|sound|ton)[ -]?[ck]as+et|kassettbo|ljudband|lydband"),
    (
        "audio_disc",
        r"cds?\b|cd-(skiv|bok|bog|plate|levy)|mp3|(ljud|lyd|audio|sound)-? ?(dis[ck]|skiv|plat)|compact ?dis[ckq]"
        r"|lp\b|vinyl|grammofon|aanilevy|schallplatte|daisy",
    ),
    (
        "online",
        r"on-?line|e-?b[o]?ok|e-?bog|ebk\b|e-?boek|e-?kirja|e-?pub|pdf|mobi\b|kindle|html|web\b|webb|web ?site"
        r"|nettressurs|nettbok|netbog|ressource en ligne|en ligne|verkko",
    ),
    # "[electronic resource]" was said of discs as well as of what is on the net.
    ("computer", r"ele[kc]troni|digital\b(?! ?(print|tryck))"),
    ("audio", r"ljudbok|ljudbocker|lydbok|lydbog|talbok|audio|horbuch|luisterboek|livre lu|aanikirja|aanite"),
    ("audio", r"tontrager|ljudupptagning|lydopptak|lydoptagelse|sound ?recording|enregistrement sonore|geluidsopname"),
    ("video", r"video|bildtontrager|film"),
    ("kit", r"kit\b|kombinerat material|medienkombination|monimediapakkaus"),
    (
        "print",
        r"inb|hft|haftad|haeftet|heftet|hf\b|kart|pocket|storpocket|pbk|pb\b|paper|hbk|hb\b|hard ?(back|cover)"
        r"|bound|cloth|print|tryckt|trykt|danskt band|spiral|ib\b|innb|indb|geb\b|gebunden|gebonden|brosch"
        r"|soft ?cover|taschenbuch|relie|broche|nid\b|sid\b|board ?book|flexband|mjukband|volym|volumes?\b"
        r"|band\b|bind\b|nide\b",
    ),
)
# Words only begin where a word begins: that keeps the search cheap, and "obunden" is not "bunden".
_WORD_SIGNS = re.compile(r"\b(?:" + "|".join(f"(?P<_{place}>{each[1]})" for place, each in enumerate(_WORDS)) + ")")
_PLAIN_EXTENT = re.compile(r"[\W\divxlc]*\b(s|sid|sidor|sider|p|pages?|seiten|blz)\W*$")
_FORMAT_IN_TITLE = re.compile(r"[(\[]([^()\[\]]{2,40})[)\]]\s*[/:.]?\s*$")
_PAGES = re.compile(
    r"(\d|[ivxl])\]?,?\s*(opag\w*\s*|onumr\w*\s*|upag\w*\s*|unnumbered\s*)?"
    r"(s|sid|sidor|sider|sidur|p|pp|pages?|pagina\S?s?|seiten|blz|bl|blad|leaves|sivua|v|vols?|bd|bind|bande?|t|tomes?)\b"
    r"|^(v|vol|bd)\b|\bpages\b|\bscores?\b|partitur|unpaged"
)
_GENERAL = frozenset({"audio", "video", "computer"})
_BOOK_TYPES = frozenset("at")
_RECORDINGS = frozenset("ij")
_THINGS = {"o": "kit", "r": "object"}
"""leader/06 that says it all."""
_FORM_AT_29 = frozenset("efgkor")
"""leader/06 of maps, visual material, kits and objects: 008/29 is their form of item, for others it is 008/23."""
_ITEM_FORM = {
    "a": "microform",
    "b": "microform",
    "c": "microform",
    "d": "large_print",
    "f": "braille",
    "o": "online",
    "q": "computer_disc",
    "r": "print",
    "s": "computer",
}
_CATEGORIES = {
    "ta": "print",
    "tb": "large_print",
    "tc": "braille",
    "td": "print",
    "tu": "print",
    "cr": "online",
    "sd": "audio_disc",
    "ss": "audio_tape",
    "st": "audio_tape",
    "sr": "audio_online",
    "s": "audio",
    "vd": "video_disc",
    "vf": "video_tape",
    "vr": "video_tape",
    "v": "video",
    "m": "video",
    "c": "computer_disc",
    "h": "microform",
    "ad": "print",
    "a": "map_sheet",
    "d": "object",
    "o": "kit",
    "k": "print",
    "g": "object",
    "f": "braille",
    "q": "print",
}
_CARRIER_CODES = {
    "cr": "online",
    "c": "computer_disc",
    "sd": "audio_disc",
    "s": "audio_tape",
    "sz": "audio",
    "vd": "video_disc",
    "v": "video_tape",
    "vz": "video",
    "h": "microform",
    "nc": "print",
    "nb": "print",
    "no": "print",
    "nn": "print",
    "nr": "object",
}
_MEDIA = {"h": "microform", "s": "audio", "v": "video", "n": "print", "c": "computer"}
_COVER = re.compile(r"omslag|cover|inneh[aå]ll|contents|abstract|recension|review|f[oö]rlagets|publisher|bild", re.I)

CARRIER_TAGS = ("007", "008", "020", "245", "300", "337", "338", "533", "856")


class FieldsByTag(Protocol):
    """Fields by their tags: a dictionary, or what divides them only when it is asked for."""

    def get(self, tag: str, default: Sequence[Field], /) -> Sequence[Field]:
        """The fields with this tag."""
        ...


def carrier_of(record: MarcRecord) -> str:
    """What the record describes, one of `CARRIERS`; empty where nothing tells.

    Asked in this order: leader/06 of kits and objects; words of a foreign carrier in 300 $a; 245 $h; 533; 008/23 (29
    for maps and visual material); first 338; 007; 300 with centimetres; 856 40; pages in 300; 337; the qualifiers of
    020 and a format in brackets after the title.
    """
    by_tag: dict[str, list[Field]] = {}
    for each in record.fields(*CARRIER_TAGS):
        by_tag.setdefault(each.tag, []).append(each)
    return carrier_from_fields(record.leader, by_tag)


def carrier_from_fields(leader: str, by_tag: FieldsByTag) -> str:
    """As `carrier_of`, for a caller that already holds the fields of `CARRIER_TAGS` by tag."""
    record_type = leader[6:7]
    if record_type in _THINGS:
        return _THINGS[record_type]
    signs = chain(_signs_of_itself(record_type, by_tag), _signs_that_go_with_it(record_type, by_tag))
    carrier, _ = _most_trusted(signs, record_type)
    return carrier


def carrier_from_texts(leader: str, index: dict[str, list[str]]) -> str:
    """As `carrier_of`, from undivided field texts by tag.

    Few fields tell the carrier of most records, and they say the same in thousands of them: 300, 008, 338 and 007.
    What they tell is remembered; only where that is not enough the fields are divided.
    """
    titles, fixed, record_type = index.get("245"), index.get("008"), leader[6:7]
    if record_type not in _THINGS and "533" not in index and not (titles and "\x1fh" in titles[0]):
        place = 29 if record_type in _FORM_AT_29 else 23
        form = fixed[0][place : place + 1] if fixed and SUBFIELD_MARK not in fixed[0] else ""
        said = [tuple(index.get(tag, ())) for tag in ("300", "338", "007")]
        carrier = _told_by_itself(record_type, form, *said)
        if carrier:
            return carrier
    return carrier_from_fields(leader, DividedFields(index))


@lru_cache(maxsize=8192)
def _told_by_itself(
    record_type: str, form: str, extents: tuple[str, ...], types: tuple[str, ...], categories: tuple[str, ...]
) -> str:
    """The carrier that these fields tell for certain; empty where others have to be asked."""
    texts = {"300": extents, "338": types, "007": categories}
    by_tag: FieldsByTag = {tag: [field_of(tag, text) for text in some] for tag, some in texts.items()}
    signs = _signs_of_itself(record_type, by_tag, form)
    carrier, is_certain = _most_trusted(signs, record_type)
    return carrier if is_certain else ""


def _most_trusted(signs: Iterable[str], record_type: str) -> tuple[str, bool]:
    """The first sign that names a carrier, and whether it is certain: a general one ("audio") may become exact."""
    first = ""
    for sign in signs:
        carrier = _for_record_type(sign, record_type)
        if carrier in _GENERAL:
            first = first or carrier
        elif carrier and (not first or carriers_agree(first, carrier)):
            return carrier, True
    return first, False


@lru_cache(maxsize=16384)
def carrier_in_words(text: str) -> str:
    """The carrier that a text names ("inb.", "E-bok (EPUB)", "1 CD"); empty where it names none."""
    # A less telling word may stand before the telling one ("1 volym (punktskrift)"), so all hits are looked at.
    hits = [int(each.lastgroup[1:]) for each in _WORD_SIGNS.finditer(plain_letters(text)) if each.lastgroup]
    return _WORDS[min(hits)][0] if hits else ""


def carriers_agree(one: str, other: str) -> bool:
    """Whether two carriers can be one and the same; an unknown one agrees with all.

    Large print agrees with print here: that it is another *edition* is judged where editions are compared, because
    many records say it in 250 alone.
    """
    if not one or not other or one == other:
        return True
    if {one, other} == {"print", "large_print"}:
        return True
    for general in ("audio", "video"):
        if one.startswith(general) and other.startswith(general) and general in (one, other):
            return True
    # A qualifier "online" on the number of an online recording; "CD" and "CD-ROM" for discs with MP3 files.
    pair = {one, other}
    if "computer" in pair:
        return pair <= {"computer", "online", "computer_disc", "audio", "audio_online", "video", "video_online"}
    return pair in ({"online", "audio_online"}, {"online", "video_online"}, {"computer_disc", "audio_disc"})


def _signs_of_itself(record_type: str, by_tag: FieldsByTag, form: str | None = None) -> Iterator[str]:
    """What each place says of the carrier, the most trusted first; empty where it says nothing.

    `form` is the code of 008, where the caller has it already.
    """
    extents = by_tag.get("300", ())
    extent = _plain_extent(extents)
    in_extent = "" if _PLAIN_EXTENT.match(extent) else carrier_in_words(extent)
    if in_extent not in ("print", "kit"):
        yield in_extent
    titles = by_tag.get("245", ())
    if titles and (medium := titles[0].first("h")):
        yield carrier_in_words(medium)
    for each in by_tag.get("533", ()):
        if each.first("5") is None:  # with $5 it is about one library's copy
            yield carrier_in_words(each.first("a") or "")
    yield _ITEM_FORM.get(_item_form(record_type, by_tag) if form is None else form, "")
    yield _carrier_type(by_tag)
    yield _category(record_type, extent, by_tag)


def _plain_extent(extents: Sequence[Field]) -> str:
    return plain_letters(extents[0].first("a") or "") if extents else ""


def _signs_that_go_with_it(record_type: str, by_tag: FieldsByTag) -> Iterator[str]:
    """As `_signs_of_itself`: what usually goes with a carrier."""
    extents = by_tag.get("300", ())
    extent = _plain_extent(extents)
    if record_type not in "ijgm" and any("cm" in (each.first("c") or "") for each in extents):
        yield "print"
    if any(_is_the_resource(each) for each in by_tag.get("856", ())):
        yield "online"
    if record_type not in "ijgm" and extent and _PAGES.search(extent):
        yield "print"
    yield _media_type(by_tag)
    yield _qualified(by_tag)


def _for_record_type(carrier: str, record_type: str) -> str:
    """The same sign on another kind of record: online + recording is an online recording, paper + map is a map."""
    if record_type in _RECORDINGS:
        return {"online": "audio_online", "computer_disc": "audio_disc", "computer": "audio"}.get(carrier, carrier)
    if record_type == "g":
        return {"online": "video_online", "computer": "video"}.get(carrier, carrier)
    if record_type in ("e", "f") and carrier == "print":
        return "map_sheet"
    return carrier


def _words_of(fields: Iterable[Field], codes: str) -> str:
    return " ".join(value for each in fields for code, value in each.subfields if code in codes)


def _item_form(record_type: str, by_tag: FieldsByTag) -> str:
    fixed = by_tag.get("008", ())
    place = 29 if record_type in _FORM_AT_29 else 23
    return fixed[0].value[place : place + 1] if fixed else ""


def _carrier_type(by_tag: FieldsByTag) -> str:
    for each in by_tag.get("338", ()):
        for code, value in each.subfields:
            if code == "b" and (named := _CARRIER_CODES.get(value[:2]) or _CARRIER_CODES.get(value[:1])):
                return named
            if code == "a" and (named := carrier_in_words(value)):
                return named
    return ""


def _category(record_type: str, extent: str, by_tag: FieldsByTag) -> str:
    """007. A book's 007 for a disc is about the disc in its pocket, where 300 counts pages."""
    for each in by_tag.get("007", ()):
        code = each.value[:2]
        named = _CATEGORIES.get(code) or _CATEGORIES.get(code[:1], "")
        if named and named != "online" and code[:1] in "csvm" and record_type in _BOOK_TYPES and _PAGES.search(extent):
            continue
        if named:
            return named
    return ""


def _is_the_resource(field: Field) -> bool:
    """856 with indicators 40 is the resource itself; cataloguers also put links to covers and contents there."""
    return field.indicators == "40" and not _COVER.search(_words_of([field], "3yz"))


def _media_type(by_tag: FieldsByTag) -> str:
    for each in by_tag.get("337", ()):
        for code, value in each.subfields:
            if code == "b" and (named := _MEDIA.get(value[:1])):
                return named
            if code == "a":
                plain = plain_letters(value)
                if named := carrier_in_words(plain):
                    return named
                if re.match(r"dat|comput|ordinat|tieto", plain):
                    return "computer"
                if re.match(r"omedierad|unmediated|umediert|uformidlet|ohne|sans|zonder|kaytettav", plain):
                    return "print"
    return ""


def _qualified(by_tag: FieldsByTag) -> str:
    """What all qualifiers of the ISBNs name; nothing where they name several carriers."""
    named = {carrier_in_words(_words_of([each], "aq")) for each in by_tag.get("020", ()) if each.first("a")} - {""}
    if len(named) == 1:
        return named.pop()
    titles = by_tag.get("245", ())
    bracket = _FORMAT_IN_TITLE.search(titles[0].first("a") or "") if titles and not named else None
    return carrier_in_words(bracket.group(1)) if bracket else ""
