"""Making ISBNs: real-looking, right check digits, never the same number twice.

Own arithmetic, not python-stdnum's: the sample is what the pipeline's ISBN module is tested with. Hyphens are set in a
fixed pattern, for show; the agencies' range tables change with time and would change the sample's bytes.
"""

from __future__ import annotations

# 91 Swedish, 82 Norwegian, 87 Danish, 90 Dutch, 1 English, and 979-8, which has no ISBN-10.
GROUPS = {"swe": "97891", "nob": "97882", "dan": "97887", "dut": "97890", "eng": "9781", "979": "9798"}
_STEP = 7_368_787  # coprime to 10, so that serial numbers spread over the range and never meet
_SEED_STEP = 104_729


def isbn13(group: str, serial: int, seed: int = 0) -> str:
    """The `serial`-th number (13 digits) of a group of `GROUPS`; serials up to ten million give different numbers."""
    prefix = GROUPS[group]
    width = 12 - len(prefix)
    body = (serial * _STEP + seed * _SEED_STEP + 2_345_671) % 10**width
    return with_check_digit(f"{prefix}{body:0{width}d}")


def with_check_digit(twelve: str) -> str:
    """The ISBN-13 that starts with these twelve digits."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve))
    return f"{twelve}{-total % 10}"


def isbn10(thirteen: str) -> str:
    """The ISBN-10 of a 978 number. Raises `ValueError` for 979: those have none."""
    if not thirteen.startswith("978"):
        raise ValueError(f"{thirteen} has no ISBN-10")
    nine = thirteen[3:12]
    rest = -sum(int(digit) * (10 - place) for place, digit in enumerate(nine)) % 11
    return nine + ("X" if rest == 10 else str(rest))


def wrong_check_digit(number: str) -> str:
    """The same number with a check digit that is wrong."""
    last = number[-1]
    return number[:-1] + ("1" if last == "X" else str((int(last) + 3) % 10))


def hyphenated(number: str, dash: str = "-") -> str:
    """The number in groups: 978-91-1234-567-8, or 91-1234-567-8; `dash` is what stands between."""
    prefix, rest = (number[:3], number[3:]) if len(number) == 13 else ("", number)
    group = 1 if rest[0] == "1" or prefix == "979" else 2
    registrant = group + (5 if group == 1 else 4)
    parts = [prefix, rest[:group], rest[group:registrant], rest[registrant:9], rest[9:]]
    return dash.join(part for part in parts if part)
