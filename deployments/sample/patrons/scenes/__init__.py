"""The scenes of the fortnight, and the days on which they play.

A scene is one function, `scene(stage, on)`, whose docstring says what it stages and what must happen. The order here is
that in which persons are hired: add new scenes at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import TypeAlias

from deployments.sample.patrons.scenes import cards, careers, desk, nights, orders, protected, rows
from deployments.sample.patrons.stage import DAYS, Sizes, Stage

Scene: TypeAlias = Callable[[Stage, date], None]

SCHEDULE: tuple[tuple[int, Scene], ...] = (
    # (day of March 2025, scene). 3, 10: Mondays; 8, 9, 15, 16: weekends, on which the hospital sends nothing.
    (4, careers.name_change),
    (14, careers.name_change),
    (4, careers.student_becomes_employee),
    (14, careers.student_becomes_employee),
    (5, careers.leaves_on_a_date),
    (4, careers.simply_missing),
    (4, careers.away_and_back),
    (5, careers.back_after_the_last_day),
    (3, careers.in_two_sources),
    (6, careers.second_job_begins),
    (5, cards.rekey),
    (14, cards.rekey),
    (13, cards.rekey_in_xml),
    (7, cards.rekey_in_rows),
    (13, cards.new_card_without_the_old),
    (4, cards.card_change),
    (7, cards.barcode_given_too_early),
    (10, cards.barcode_of_another),
    (5, rows.row_without_family_name),
    (14, rows.row_without_family_name),
    (5, rows.unknown_category),
    (12, rows.unknown_category_at_the_hospital),
    (7, rows.national_id),
    (11, rows.broken_user),
    (3, protected.protected_identity_at_the_hospital),
    (8, protected.protected_identity_in_xml),
    (10, protected.address_blocked_in_the_municipality),
    (6, orders.protection_order),
    (6, orders.protection_with_an_end),
    (13, orders.order_is_released),
    (6, nights.truncated_night),
    (8, nights.empty_file),
    (9, nights.stale_file),
    (10, nights.wrong_category_map),
    (11, nights.cleared_email_column),
    (12, nights.wrong_charset),
    (13, nights.header_alone),
    (14, nights.truncated_zip),
    (14, nights.school_without_emails),
    (3, desk.edited_before_samkat),
    (5, desk.preferred_name_corrected),
    (5, desk.email_removed),
    (7, desk.phone_and_note_added),
    (7, desk.group_changed_by_hand),
    (7, desk.expiry_extended),
    (10, desk.legal_name_edited),
    (5, desk.edited_in_the_warehouse),
    (5, desk.protected_by_the_desk),
    (7, desk.desk_stub),
)


def compose(seed: int, sizes: Sizes) -> Stage:
    """The whole fortnight, before any file is written. Raises `ValueError` where a source is too small for it."""
    stage = Stage(seed, sizes)
    for day, scene in SCHEDULE:
        stage.scene = scene.__name__
        scene(stage, date(2025, 3, day))
    stage.scene = "ordinary_day"
    for on in DAYS[1:]:
        careers.ordinary_day(stage, on)
    return stage


@lru_cache(maxsize=4)
def composed(seed: int, sizes: Sizes) -> Stage:
    """`compose`, kept: the stage is not to be changed any more."""
    return compose(seed, sizes)
