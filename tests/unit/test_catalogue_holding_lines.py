"""Each supplier owns and replaces only its own lines of a holding; all others stay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.marc import HoldingLine
from schemas.outcomes import HoldingOutcome
from tasks.catalogue.holding_lines import LIBRARY, merge_lines, remove_lines, whole_holding


def line(mark: str, owner: str = LIBRARY) -> HoldingLine:
    return HoldingLine("852", mark, "", "", f'["  ",[["b","SOLB"],["h","{mark}"]]]', owner)


def test_a_new_shelf_mark_takes_the_place_of_the_suppliers_old_one_where_it_stood() -> None:
    there = [line("Hc", "NORDBOK"), line("Magasin")]
    found = merge_lines(there, "NORDBOK", [line("Hcf", "NORDBOK")])
    assert (found.outcome, found.rule) == (HoldingOutcome.UPDATED, "lines_replaced")
    assert found.lines == (line("Hcf", "NORDBOK"), line("Magasin"))


def test_a_suppliers_first_line_comes_after_those_that_are_there() -> None:
    found = merge_lines([line("Magasin")], "NORDBOK", [line("Hc", "NORDBOK")])
    assert (found.outcome, found.rule) == (HoldingOutcome.UPDATED, "lines_added")
    assert found.lines == (line("Magasin"), line("Hc", "NORDBOK"))


def test_the_same_lines_again_change_nothing() -> None:
    there = [line("Magasin"), line("Hc", "NORDBOK")]
    found = merge_lines(there, "NORDBOK", [line("Hc", "NORDBOK")])
    assert (found.outcome, found.lines) == (HoldingOutcome.UNCHANGED, tuple(there))


def test_a_delete_takes_the_senders_lines_and_the_holding_goes_when_none_remain() -> None:
    both = [line("Hc", "NORDBOK"), line("Hcf", "MEDIAT")]
    rest = remove_lines(both, "NORDBOK")
    assert (rest.outcome, rest.lines) == (HoldingOutcome.UPDATED, (line("Hcf", "MEDIAT"),))
    gone = remove_lines([line("Hc", "NORDBOK")], "NORDBOK")
    assert (gone.outcome, gone.lines) == (HoldingOutcome.DELETED, ())
    nothing = remove_lines(both, "BOKRING")
    assert (nothing.outcome, nothing.rule) == (HoldingOutcome.UNCHANGED, "nothing_to_delete")


def test_the_catalogues_own_export_says_all_there_is() -> None:
    there = [line("Hc", "NORDBOK"), line("Magasin")]
    assert whole_holding(False, there, [line("Magasin")]).lines == (line("Magasin"),)
    assert whole_holding(False, there, there).outcome == HoldingOutcome.UNCHANGED
    assert whole_holding(True, there, []).outcome == HoldingOutcome.DELETED


LINES = st.lists(st.builds(line, st.sampled_from("ABCDE"), st.sampled_from(["NORDBOK", "MEDIAT", LIBRARY])), max_size=5)


@given(there=LINES, marks=st.lists(st.sampled_from("ABCDE"), min_size=1, max_size=3))
def test_others_lines_always_stay_in_their_order_and_twice_is_once(there: list[HoldingLine], marks: list[str]) -> None:
    incoming = [line(mark, "NORDBOK") for mark in marks]
    found = merge_lines(there, "NORDBOK", incoming)
    assert [each for each in found.lines if each.owner != "NORDBOK"] == [
        each for each in there if each.owner != "NORDBOK"
    ]
    assert [each for each in found.lines if each.owner == "NORDBOK"] == incoming
    assert merge_lines(found.lines, "NORDBOK", incoming).outcome == HoldingOutcome.UNCHANGED
