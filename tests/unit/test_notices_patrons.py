"""What is said of files of persons: to the library counts, to the source how many and where, to the operator a hold."""

from __future__ import annotations

import re
from typing import Literal, get_args

import pytest

from schemas.patrons import PATHS, RejectRule
from schemas.register.patron_limits import PATRON_CHANGES
from tasks.notices.gathering_holds import PATRON, WHOLE_FILE, WITHOUT_FILE
from tasks.notices.gathering_patrons import HAPPENED_BY_RULE, PERSON, PROTECTED_RULES, STATE, TAKEN_RULE
from tasks.notices.holds import HeldClass, Pages, compose_held
from tasks.notices.message import Message, NoticeKind
from tasks.notices.patron_digest import HAPPENED, PathCounts, PatronDigest, compose_patron_digest, path_name
from tasks.notices.patron_holds import FileFault, compose_held_file
from tasks.notices.patron_rejects import compose_patron_rejects
from tasks.notices.wording import Reason, standard_book
from tasks.patrons import checking, instant_limits, merge, occasion
from tasks.patrons.file_guards import FileRule
from tasks.patrons.identity import IDENTITY_WORDS
from tasks.patrons.lifecycle import EVENT_WORDS
from tasks.patrons.receiving import KIND
from tests.unit.notices_samples import CATALOGUE, SENDER, held, held_patron_file, patron_digest, patron_rejects

LANGUAGES = ["da", "en", "nb", "sv"]
every_language = pytest.mark.parametrize("language", LANGUAGES)


def digest_mail(digest: PatronDigest) -> Message:
    message = compose_patron_digest(digest, CATALOGUE, SENDER)
    assert message is not None
    return message


class TestDigest:
    def test_a_library_reads_what_happened_what_waits_and_what_it_has_to_decide(self) -> None:
        message = digest_mail(patron_digest())
        assert message.kind is NoticeKind.DIGEST
        assert message.recipient == "biblioteket@nordhavet.example"
        assert message.subject == (
            "Persons from Personnel register: 41 waiting, 5 to decide, 3 not taken (Nordhavets universitetsbibliotek)"
        )
        for line in (
            "* New: 12",
            "* Changed: 1,300",
            "* Not in the file: nothing is taken from them yet: 4",
            "* Persons to be deactivated: 41",
            "FOR STAFF TO DECIDE (5)",
            "  rejects/NORUPERS/7/review.csv",
            "* E-mail addresses",
            "  Protected, and the source differs: 2",
            "  Edits replaced by the source: 1",
            "Not readable: 2. Nobody knows whose: 1.",
            "  rejects/NORUPERS/7/errors.csv",
        ):
            assert line in message.text

    def test_what_nobody_has_to_do_anything_about_stands_in_the_subject_where_nothing_else_does(self) -> None:
        quiet = patron_digest(held={}, paths=(PathCounts("emails", 7),), rows_rejected=0, rows_quarantined=0)
        assert ": 12 new, 1,300 changed, 4 came, left or expired (" in digest_mail(quiet).subject

    def test_one_person_is_said_as_one(self) -> None:
        one = patron_digest(
            language="sv", happened={"created": 1, "changed": 1}, held={}, paths=(), rows_rejected=1, rows_quarantined=0
        )
        assert ": 1 ny, 1 ändrad, 1 ej mottagen (" in digest_mail(one).subject

    def test_where_nothing_has_changed_there_is_no_mail(self) -> None:
        silent = patron_digest(
            happened={"changed": 0}, held={}, paths=(), rows_rejected=0, rows_quarantined=0, lists=(), reviews=()
        )
        assert compose_patron_digest(silent, CATALOGUE, SENDER) is None

    @pytest.mark.parametrize(
        "something",
        [
            {"happened": {"expired": 1}},
            {"held": {"clear": 1}},
            {"rows_quarantined": 1},
            {"paths": (PathCounts("x", asked=1),)},
        ],
        ids=lambda each: next(iter(each)),
    )
    def test_a_single_thing_is_worth_a_mail(self, something: dict[str, object]) -> None:
        silent = {"happened": {}, "held": {}, "paths": (), "rows_rejected": 0, "rows_quarantined": 0}
        assert compose_patron_digest(patron_digest(**(silent | something)), CATALOGUE, SENDER) is not None

    def test_what_had_waited_says_so(self) -> None:
        said = standard_book().source.say("person_digest.approved")
        assert said in digest_mail(patron_digest(was_held=True)).text
        assert said not in digest_mail(patron_digest()).text

    @every_language
    def test_each_language_counts_in_its_own_words(self, language: str) -> None:
        phrases = standard_book().language(language)
        text = digest_mail(patron_digest(language=language)).text
        assert f"* {phrases.say('person_count.created')}: 12" in text
        assert f"* {phrases.say('person_class.deactivate')}: 41" in text
        assert f"* {phrases.say('person_path.emails')}\n" in text

    def test_the_same_files_give_the_same_message(self) -> None:
        assert digest_mail(patron_digest()).dedup_key == "digest|patrons|run-1|NORUPERS"


class TestRejects:
    def test_a_source_reads_only_how_many_and_where(self) -> None:
        message = compose_patron_rejects(patron_rejects(), CATALOGUE, SENDER)
        assert message is not None
        assert message.subject == "3 rows not taken from Personnel register, 21 November 2025"
        assert "Rows read: 1,200. Not readable: 2. Nobody knows whose: 1." in message.text
        assert "Where: rejects/NORUPERS/7/errors.csv" in message.text
        assert message.attachments == ()

    def test_where_everything_was_taken_there_is_no_mail(self) -> None:
        assert compose_patron_rejects(patron_rejects(rows=()), CATALOGUE, SENDER) is None


class TestHeldFile:
    def test_the_operator_reads_what_is_wrong_that_nobody_was_touched_and_how_to_decide(self) -> None:
        pages = Pages("http://localhost/run/1", "http://localhost/form")
        text = compose_held_file(held_patron_file(), CATALOGUE, SENDER, pages).text
        for line in (
            "* The file holds many more or far fewer persons than the one before.",
            "  480 persons, last time 1,200: more than 15% away",
            "Nobody was created, changed or deactivated by it",
            "the next whole file repairs everything by itself",
            "  samkat plans approve 9f2c41d0 --by NAME",
            "  samkat plans reject 9f2c41d0 --by NAME",
            "  http://localhost/run/1",
        ):
            assert line in text

    def test_its_sender_reads_the_same_without_the_decision_in_a_message_of_its_own(self) -> None:
        to_operator = compose_held_file(held_patron_file(), CATALOGUE, SENDER)
        to_sender = compose_held_file(held_patron_file(plan_hash="", recipient="a@b.example"), CATALOGUE, SENDER)
        assert "samkat plans" not in to_sender.text
        assert "Please check the export" in to_sender.text
        assert "480 persons" in to_sender.text
        assert to_sender.dedup_key != to_operator.dedup_key

    def test_a_file_is_told_once_whatever_is_found_later(self) -> None:
        found = (FileFault("stale", "one of 2025-11-22 was used already"),)
        later = held_patron_file(plan_hash="77", faults=found)
        first = compose_held_file(held_patron_file(), CATALOGUE, SENDER)
        assert compose_held_file(later, CATALOGUE, SENDER).dedup_key == first.dedup_key

    @every_language
    def test_the_field_and_the_remedy_are_in_the_readers_language(self, language: str) -> None:
        phrases = standard_book().language(language)
        made = held_patron_file(language=language, faults=(FileFault("null_rate", "empty for 90%", "emails"),))
        text = compose_held_file(made, CATALOGUE, SENDER).text
        assert phrases.say("person_path.emails") in text
        assert phrases.say("person_fault.null_rate") in text
        assert phrases.say("person_remedy.null_rate") in text


@pytest.mark.parametrize("words", ["held_persons", "held_plan"])
@every_language
def test_classes_of_change_that_wait_are_told_in_words_of_persons(
    language: str, words: Literal["held_persons", "held_plan"]
) -> None:
    phrases = standard_book().language(language)
    classes = (HeldClass("deactivate", 41, 1000, 17.0, Reason("x", "41 of 1000 persons would be deactivated")),)
    made = held(language=language, classes=classes, is_whole=False, words=words)
    text = compose_held(made, CATALOGUE, SENDER).text
    assert f"{phrases.say('person_class.deactivate')} (deactivate)" in text
    assert phrases.say(f"{words}.part") in text
    assert "41 of 1000 persons would be deactivated" in text
    assert "samkat plans approve 9f2c41d0" in text


class TestRulesHaveWords:
    """Every rule, class, path and step that the patron sync knows can be told in every language."""

    @every_language
    def test_what_is_wrong_with_a_file_or_a_row(self, language: str) -> None:
        known = standard_book().language(language).phrases
        files, rows = set(get_args(FileRule)), set(get_args(RejectRule)) - {"charset"}
        placing = IDENTITY_WORDS.keys() - {"source_id", "joined", "new"}
        assert len(files) == 10
        for rule in files | rows | placing | {"both_are_taken", "several_had_the_old", "file"}:
            assert f"person_fault.{rule}" in known
            assert f"person_remedy.{rule}" in known

    @every_language
    def test_classes_paths_and_what_happens(self, language: str) -> None:
        phrases = standard_book().language(language)
        assert {f"person_class.{each}" for each in PATRON_CHANGES} <= phrases.phrases.keys()
        assert {f"person_count.{each}" for each in HAPPENED} <= phrases.phrases.keys()
        assert [path for path in PATHS if path_name(path, phrases) == path] == []
        assert {
            f"person_review.{rule}" for rule in (*PROTECTED_RULES, "conflict", "immutable")
        } <= phrases.phrases.keys()

    def test_every_step_of_the_lifecycle_is_counted_as_something(self) -> None:
        assert EVENT_WORDS.keys() <= HAPPENED_BY_RULE.keys()
        assert set(HAPPENED_BY_RULE.values()) | {"changed"} == set(HAPPENED)

    def test_the_names_are_those_of_the_patron_sync(self) -> None:
        assert instant_limits.FLOW in WITHOUT_FILE
        assert KIND == PATRON
        assert checking.CLASS_PREFIX == WHOLE_FILE
        assert (occasion.PERSON, occasion.STATE) == (PERSON, STATE)
        assert {*PROTECTED_RULES, TAKEN_RULE, "conflict", "immutable"} <= merge.WORDS.keys()


@every_language
def test_no_phrase_of_persons_speaks_of_titles_or_suppliers(language: str) -> None:
    known = standard_book().language(language).phrases
    words = re.compile(r"(?i)titlar|titler|titles|leverant|leverandør|supplier(?!})")
    of_persons = {key: text for key, text in known.items() if key.startswith(("person_", "held_p"))}
    assert len(of_persons) > 150
    assert [key for key, text in of_persons.items() if words.search(text.replace("{supplier}", ""))] == []
