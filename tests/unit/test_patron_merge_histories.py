"""Property tests of the merge over random histories: nights of a source, edits by staff, pins and releases."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.patrons import ABSENT, Value
from tasks.patrons.choosing import SourceValue, choose, with_tonights, without
from tasks.patrons.merge import Circumstances, Decision, PathState, PersonState, after_merge, decide, merge_person
from tasks.patrons.protection import Lock, RuleInForce, Stated

DAY = date(2025, 3, 14)
PATHS = ("first_name", "user_title", "preferred_language", "pin_number", "user_group")
TEXTS = st.sampled_from(["a", "b", "c"])
NULLABLE = st.one_of(st.none(), TEXTS)
STATED: st.SearchStrategy[Stated] = st.one_of(st.just(ABSENT), NULLABLE)
PATH = st.sampled_from(PATHS)
INCOMING = st.dictionaries(PATH, NULLABLE)
RULE = st.builds(
    RuleInForce,
    st.sampled_from(["source_wins", "local_if_edited", "create_only", "never", "immutable"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, "why"]),
)
RULES = st.fixed_dictionaries(dict.fromkeys(PATHS, RULE))
LOCK = st.builds(Lock, st.sampled_from(["pin", "automatic", "exempt"]), NULLABLE, STATED, st.just("siv"))
STATE = st.builds(PathState, STATED, STATED, STATED, st.one_of(st.none(), LOCK))
NOW = st.builds(Circumstances, st.just(DAY), st.just("NORUPERS"), st.booleans(), st.booleans(), st.booleans())
MERGE_STATE = st.builds(
    PersonState,
    st.dictionaries(PATH, NULLABLE),
    st.dictionaries(PATH, NULLABLE),
    st.dictionaries(PATH, NULLABLE),
    st.dictionaries(PATH, LOCK),
)


@given(INCOMING, MERGE_STATE, RULES, NOW)
@settings(max_examples=200, deadline=None)
def test_the_same_night_again_decides_nothing(
    incoming: dict[str, Value | None], state: PersonState, rules: dict[str, RuleInForce], now: Circumstances
) -> None:
    if now.is_new:
        state = PersonState(locks=state.locks)
    state = after_merge(incoming, state, merge_person(incoming, state, rules, now))
    # The second time the person is neither new, nor has the affiliation changed again.
    later = Circumstances(DAY + timedelta(1), now.source, is_desk_stub=now.is_desk_stub)
    assert merge_person(incoming, state, rules, later) == []


@given(STATED, STATE, RULE, NOW, NULLABLE)
@settings(max_examples=200, deadline=None)
def test_no_mode_and_no_circumstance_changes_a_pinned_path(
    incoming: Stated, state: PathState, rule_: RuleInForce, now: Circumstances, held: Value | None
) -> None:
    pinned = PathState(state.said_before, held, held, Lock("pin", held, ABSENT, by="siv"))
    decision = decide("user_title", incoming, pinned, rule_, now)
    assert decision.action == "keep"
    assert decision.after == held
    assert decision.lock == "none"


@given(STATED, STATE, RULE, NOW)
@settings(max_examples=200, deadline=None)
def test_absent_changes_nothing_and_a_null_clears_only_where_it_may(
    incoming: Stated, state: PathState, rule_: RuleInForce, now: Circumstances
) -> None:
    decision = decide("user_title", incoming, state, rule_, now)
    assert decision.after is not ABSENT or state.current is ABSENT
    if incoming is ABSENT:
        assert (decision.action, decision.after, decision.written) == ("keep", state.current, state.written)
    if decision.action == "clear" and decision.rule != "pinned":
        assert incoming is None
        assert rule_.may_clear or now.is_new
    if decision.action == "write" and decision.rule != "pinned":
        assert decision.after == incoming
        assert isinstance(incoming, str)


class Nights(RuleBasedStateMachine):
    """A person under the default rules: what staff cleared or changed stands until the source comes round to it."""

    in_force = {  # noqa: RUF012
        "user_title": RuleInForce("local_if_edited", may_clear=True),
        "preferred_language": RuleInForce("local_if_edited"),
        "first_name": RuleInForce("source_wins"),
    }
    paths = st.sampled_from(sorted(in_force))

    @initialize(values=st.fixed_dictionaries(dict.fromkeys(in_force, TEXTS)))
    def created(self, values: dict[str, str]) -> None:
        self.said: dict[str, Value | None] = dict(values)
        self.state = PersonState()
        self.staff: dict[str, Value | None] = {}
        self.pins: dict[str, Value | None] = {}
        self.decisions: list[Decision] = []
        self._night(is_new=True)

    def _night(self, is_new: bool = False) -> None:
        now = Circumstances(DAY, "NORUPERS", is_new=is_new)
        self.decisions = merge_person(self.said, self.state, self.in_force, now)
        self.state = after_merge(self.said, self.state, self.decisions)
        for path, value in self.said.items():
            if self.staff.get(path, ABSENT) == value:
                del self.staff[path]  # the source came round to it: it is the source's again

    @rule()
    def unchanged_night(self) -> None:
        self._night()

    @rule(path=paths, value=NULLABLE)
    def source_changes(self, path: str, value: Value | None) -> None:
        self.said[path] = value
        self._night()

    @rule(path=paths)
    def source_stops_carrying(self, path: str) -> None:
        self.said.pop(path, None)
        self._night()

    @rule(path=paths, value=NULLABLE)
    def staff_edits(self, path: str, value: Value | None) -> None:
        if path in self.pins or self.in_force[path].mode == "source_wins":
            return
        self.state = replace(self.state, current={**self.state.current, path: value})
        if value != self.state.written.get(path, ABSENT):
            self.staff[path] = value
        elif path not in self.state.locks:
            self.staff.pop(path, None)  # an edit that puts back what Samkat wrote is none
        else:
            self.staff[path] = value

    @rule(path=paths)
    def pin(self, path: str) -> None:
        held = self.state.current.get(path)
        self.pins[path] = held
        locks = {**self.state.locks, path: Lock("pin", held, self.said.get(path, ABSENT), by="siv")}
        self.state = replace(self.state, locks=locks, current={**self.state.current, path: held})

    @invariant()
    def pinned_values_stand(self) -> None:
        for path, held in getattr(self, "pins", {}).items():
            assert self.state.current[path] == held

    @invariant()
    def edits_stand(self) -> None:
        for path, value in getattr(self, "staff", {}).items():
            if path not in self.pins:
                assert self.state.current[path] == value

    @invariant()
    def legal_names_are_the_sources(self) -> None:
        said = getattr(self, "said", {}).get("first_name")
        if said is not None and "first_name" not in self.pins:
            assert self.state.current["first_name"] == said


Nights.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestNights = Nights.TestCase

SAID = st.builds(
    SourceValue,
    st.sampled_from(["A", "B", "C"]),
    STATED,
    st.dates(date(2025, 3, 1), date(2025, 3, 3)),
)
RANKS = st.dictionaries(st.sampled_from(["A", "B", "C"]), st.integers(1, 2))


@given(st.lists(SAID, unique_by=lambda each: each.source), RANKS, st.randoms())
@settings(deadline=None)
def test_the_order_of_sources_decides_nothing(
    values: list[SourceValue], ranking: dict[str, int], random: object
) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(shuffled, ranking) == choose(values, ranking)


@given(st.lists(SAID, unique_by=lambda each: each.source), RANKS)
@settings(deadline=None)
def test_dropping_a_source_that_does_not_speak_changes_nothing(
    values: list[SourceValue], ranking: dict[str, int]
) -> None:
    chosen = choose(values, ranking)
    for source in ("A", "B", "C"):
        if chosen is not None and chosen.source != source:
            left = choose(without(values, source), ranking)
            assert left is not None
            assert (left.source, left.value) == (chosen.source, chosen.value)


@given(st.lists(SAID, unique_by=lambda each: each.source), st.sampled_from("ABC"), NULLABLE)
@settings(deadline=None)
def test_a_source_that_repeats_itself_is_not_the_one_that_changed_last(
    values: list[SourceValue], source: str, value: Value | None
) -> None:
    said = with_tonights(values, source, value, DAY)
    assert with_tonights(said, source, value, DAY + timedelta(9)) == said
    assert with_tonights(said, source, ABSENT, DAY + timedelta(9)) == said
