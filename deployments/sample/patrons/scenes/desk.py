"""What staff do at the desk between two nights: in the library system (NORU, VEST), or in the warehouse (FJOR)."""

from __future__ import annotations

from datetime import date, timedelta

from deployments.sample.patrons.stage import FIRST_DAY, Stage


def edited_before_samkat(stage: Stage, on: date) -> None:
    """The first read-back already differs: somebody wrote another preferred name years ago.

    Must happen: there is no word of Samkat's yet, so what differs counts as edited; it is kept, and somebody is asked.
    """
    number = stage.hire("VESTSTUD", given="Imogen", preferred_given="Imogen")
    stage.edit("VESTSTUD", number, on, "set", "pref_first_name", "Immy", "edited before the first night")
    stage.tell(on, "VESTSTUD", "conflict", "the library system differs on the first night", number)


def preferred_name_corrected(stage: Stage, on: date) -> None:
    """Staff correct a preferred name; the college repeats its own every night, then sends a new one, then theirs.

    Must happen: kept while the source repeats itself; a question when it says something new; agreement, and the end of
    the lock, when it comes round.
    """
    number = stage.hire("VESTSTUD", given="Rupert", preferred_given="Rup")
    stage.edit("VESTSTUD", number, on, "set", "pref_first_name", "Robin", "a preferred name is corrected")
    later, last = on + timedelta(days=5), on + timedelta(days=8)
    stage.change("VESTSTUD", number, later, preferred_given="Bertie")
    stage.change("VESTSTUD", number, last, preferred_given="Robin")
    stage.tell(on + timedelta(days=1), "VESTSTUD", "edited_before", "the college repeats itself", number)
    stage.tell(later, "VESTSTUD", "conflict", "the college says something new", number)
    stage.tell(last, "VESTSTUD", "converged", "the college came round", number)


def email_removed(stage: Stage, on: date) -> None:
    """Staff take away an e-mail address that the university goes on sending.

    Must happen: it stays away, on every later night.
    """
    number = stage.hire("NORUPERS", category="10", email="love.norrhage@nordhavet.example")
    stage.edit("NORUPERS", number, on, "remove", "emails[work]", "love.norrhage@nordhavet.example", "takes it away")
    stage.tell(on, "NORUPERS", "removed_by_staff", "the university repeats the address", number)


def phone_and_note_added(stage: Stage, on: date) -> None:
    """Staff add a telephone number and a note that no source knows.

    Must happen: both are in every later document, although no source ever says them.
    """
    number = stage.hire("NORUPERS", category="10")
    stage.edit("NORUPERS", number, on, "add", "phones[home]", "070-1740699", "a number of their own")
    stage.edit("NORUPERS", number, on, "add", "user_notes[POPUP]", "Har lånat projektorn", "a note")
    stage.tell(on, "NORUPERS", "not_carried", "no source speaks of it", number)


def group_changed_by_hand(stage: Stage, on: date) -> None:
    """Staff give a student the loans of a doctoral student; days later the student really becomes an employee.

    Must happen: kept while the university repeats itself; when the affiliation changes, the university wins.
    """
    number = stage.hire("NORUPERS", category="20", valid_to=None)
    stage.edit("NORUPERS", number, on, "set", "user_group", "phd", "a user group by hand")
    stage.change("NORUPERS", number, date(2025, 3, 14), category="10", department="Vindenergi")
    stage.tell(on, "NORUPERS", "edited", "the university repeats the old category", number)
    stage.tell(date(2025, 3, 14), "NORUPERS", "affiliation_changed", "another category: the edit ends", number)


def expiry_extended(stage: Stage, on: date) -> None:
    """Staff give a student another half year.

    Must happen: the later day stands, since no source says that it is shorter.
    """
    number = stage.hire("VESTSTUD", valid_to=date(2025, 6, 30))
    stage.edit("VESTSTUD", number, on, "set", "expiry_date", "2025-12-31", "half a year more")
    stage.tell(on, "VESTSTUD", "kept", "the college repeats its own day", number)


def legal_name_edited(stage: Stage, on: date) -> None:
    """Staff change a legal name.

    Must happen: the college's name is written again, and the log tells the edit that was lost.
    """
    number = stage.hire("VESTSTUD", family="Thistlewick")
    stage.edit("VESTSTUD", number, on, "set", "last_name", "Thistlewicke", "a legal name by hand")
    stage.tell(on, "VESTSTUD", "source_wins", "the college's legal name is written again", number)


def edited_in_the_warehouse(stage: Stage, on: date) -> None:
    """In Fjordkyst staff edit in the warehouse: a preferred name, a department that is cleared, a group, a language.

    Must happen: kept while the municipality repeats itself; of the language the municipality's later word is taken, by
    policy, and staff are told.
    """
    plans = (
        ("pref_first_name", "Bitten", "a preferred name"),
        ("department", None, "no department: cleared"),
        ("user_group", "teacher", "a user group by hand"),
        ("preferred_language", "nn", "letters in Nynorsk"),
    )
    for path, value, shows in plans:
        number = stage.hire("FJORKOMM", category="ANS", preferred_given="Birgit", language="nb")
        stage.edit("FJORKOMM", number, on, "clear" if value is None else "set", path, value, shows)
        stage.tell(on + timedelta(days=1), "FJORKOMM", "edited", f"the municipality repeats its {path}", number)
        if path == "preferred_language":
            stage.change("FJORKOMM", number, on + timedelta(days=6), language="da")
            stage.tell(on + timedelta(days=6), "FJORKOMM", "conflict_taken", "a new language of the source", number)


def protected_by_the_desk(stage: Stage, on: date) -> None:
    """Staff protect values: a legal name, a preferred name that is to be empty, a group until a day, in all three.

    Must happen: each value stands, null included, whatever the source repeats or says anew; on the day after its last
    day a protection is over.
    """
    anew = on + timedelta(days=2)
    number = stage.hire("FJORKOMM", category="LAR", family="Fjellvær")
    stage.protect("FJORKOMM", number, on, "last_name", "Fjellvaer", "goes by it in print", "a legal name is pinned")
    stage.change("FJORKOMM", number, anew, family="Fjellbakk")
    stage.tell(anew, "FJORKOMM", "pinned", "the municipality says another legal name", number)
    number = stage.hire("VESTSTUD", preferred_given="Pip")
    stage.protect("VESTSTUD", number, on, "pref_first_name", None, "wants none", "null is pinned")
    stage.change("VESTSTUD", number, anew, preferred_given="Pippin")
    stage.tell(anew, "VESTSTUD", "pinned", "the college says another preferred name", number)
    number = stage.hire("NORUPERS", category="30", valid_to=date(2025, 12, 31))
    stage.protect("NORUPERS", number, on, "user_group", "employee", "until the contract is there", "a group is pinned")
    stage.protections[-1] = stage.protections[-1]._replace(until=FIRST_DAY + timedelta(days=9))
    stage.tell(FIRST_DAY + timedelta(days=10), "NORUPERS", "untouched", "the protection is over", number)


def desk_stub(stage: Stage, on: date) -> None:
    """Somebody new needs a card before the university's file has them: an account is opened at the desk, as a guest.

    Must happen: when the file brings the person, by the same borrower id, it is that account, and nothing that the
    desk put in to get by counts as an edit.
    """
    comes = on + timedelta(days=2)
    number = stage.newcomer("NORUPERS", comes, category="10", given="Gunhild", family="Pilskär")
    stage.edit("NORUPERS", number, on, "open", "user", "Gunhild Pilskär", "an account opened at the desk")
    stage.tell(comes, "NORUPERS", "desk_stub", "the file brings the person", number)
