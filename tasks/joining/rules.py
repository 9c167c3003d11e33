"""What is asked of a library that wants to take part, rule by rule. Pure: facts in, checklist out.

The rules are those of docs/library-onboarding.md. Registering participation is for libraries that are open to the
public, can catalogue, and commit themselves to keep what they show current; limited participation for school libraries
that are staffed enough and for other publicly funded libraries with a closed audience, whose holdings are not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from schemas.applications import Application
from schemas.register.libraries import Library
from schemas.register.participation import ParticipationRules


class Verdict(StrEnum):
    """How a rule ended."""

    MET = "met"
    UNMET = "unmet"
    NOT_ASKED = "not_asked"


class Check(NamedTuple):
    """One line of a checklist. `remedy` is empty where nothing is to be done."""

    rule: str
    verdict: Verdict
    reason: str
    remedy: str = ""


@dataclass(frozen=True)
class Known:
    """What is known beside the application, on the day `on`."""

    libraries: Mapping[str, Library]
    suppliers: Collection[str]
    rules: ParticipationRules
    on: date
    taken_by: str | None = None
    """Who has the sigel already, in words; the applicant's own entry does not count."""
    mail_error: str | None = None
    """What the last e-mail to the contact ended in, where it could not be sent."""


class Said(NamedTuple):
    """A rule's answer: what is wrong and what to do, or, without a remedy, why it is met."""

    reason: str
    remedy: str = ""


Rule = Callable[[Application, Known], Said]


def checklist(application: Application, known: Known) -> tuple[Check, ...]:
    """Every rule with its verdict, in the order of the page: those of all, then those of each participation."""
    return tuple(_check(name, rule, application, known) for name, rule in RULES.items())


def is_eligible(checks: Collection[Check]) -> bool:
    """Whether every rule that is asked is met."""
    return all(each.verdict != Verdict.UNMET for each in checks)


def _check(name: str, rule: Rule, application: Application, known: Known) -> Check:
    if why := _not_asked(name, application):
        return Check(name, Verdict.NOT_ASKED, why)
    said = rule(application, known)
    return Check(name, Verdict.UNMET if said.remedy else Verdict.MET, *said)


def _not_asked(name: str, application: Application) -> str:
    """Why a rule does not concern this applicant; empty where it does."""
    if name in _REGISTERING and application.participation == "limited":
        return "not asked of limited participation"
    if name in _LIMITED and application.participation == "registering":
        return "not asked of registering participation"
    if name in _SCHOOLS and application.kind != "school":
        return "asked of school libraries"
    return ""


def _sigel_unique(application: Application, known: Known) -> Said:
    member = known.libraries.get(application.sigel)
    if known.taken_by and member is not None and member.name == application.name:
        return Said(f"{member.name} takes part already", "change its entry in the register; it need not apply again")
    if known.taken_by:
        return Said(f"{application.sigel} belongs to {known.taken_by}", "choose a sigel that no library has")
    return Said(f"no other library has {application.sigel}")


def _contact_reachable(application: Application, known: Known) -> Said:
    contact = application.contact
    if known.mail_error:
        return Said(
            f"the last e-mail to the contact could not be sent: {known.mail_error}",
            "correct [contact] email, or have the address put right and send the e-mail again",
        )
    return _dated(
        contact.answered_on, known.on, "the contact answered", "nobody has answered an e-mail to the contact",
        "write to the contact, and enter the day of the answer as [contact] answered_on",
    )  # fmt: skip


def _agreement_signed(application: Application, known: Known) -> Said:
    return _dated(
        application.agreement.signed_on, known.on, "the agreement was signed", "no agreement is signed",
        "have it signed by both sides, and enter the day as [agreement] signed_on",
    )  # fmt: skip


def _agreement_dates(application: Application, known: Known) -> Said:
    agreement = application.agreement
    if agreement.starts_on is None:
        return Said("nobody has said when the agreement begins", "enter its first day as [agreement] starts_on")
    if agreement.signed_on and agreement.starts_on < agreement.signed_on:
        return Said(
            f"it would begin on {agreement.starts_on}, before it was signed on {agreement.signed_on}",
            "let [agreement] starts_on be the day of the signing or a later one",
        )
    if agreement.ends_on and agreement.ends_on < known.on:
        return Said(f"the agreement ended on {agreement.ends_on}", "make a new agreement, and enter its days")
    return Said(f"in force from {agreement.starts_on}{f' to {agreement.ends_on}' if agreement.ends_on else ''}")


def _suppliers_known(application: Application, known: Known) -> Said:
    unknown = sorted(set(application.suppliers) - set(known.suppliers))
    if unknown:
        have = ", ".join(sorted(known.suppliers))
        return Said(f"the register has no supplier {', '.join(unknown)}", f"correct suppliers; the register has {have}")
    return Said(
        f"takes from {', '.join(application.suppliers)}" if application.suppliers else "takes from all suppliers"
    )


def _open_to_public(application: Application, _known: Known) -> Said:
    if application.audience.open_to_public:
        return Said("everybody may use it")
    return Said(
        "it is not open to the public",
        "open it, or apply for limited participation; where it is open, say so: [audience] open_to_public = true",
    )


def _cataloguing_competence(application: Application, _known: Known) -> Said:
    if application.cataloguing.is_competent:
        return Said("somebody there catalogues by the catalogue's rules")
    return Said(
        "nobody there catalogues by the catalogue's rules",
        "name somebody who does, then [cataloguing] is_competent = true; or apply for limited participation",
    )


def _cataloguing_training(application: Application, known: Known) -> Said:
    training, wanted = application.cataloguing, known.rules.courses
    if wanted and training.trained_on and training.course not in wanted:
        said = f"the training {training.course} does not count" if training.course else "the training is not named"
        return Said(said, f"complete one of {', '.join(wanted)}, and enter it as [cataloguing] course")
    what = f"training {training.course} was completed" if training.course else "training was completed"
    need = f" ({', '.join(wanted)})" if wanted else ""
    return _dated(
        training.trained_on, known.on, what, "nobody there has completed the training in cataloguing",
        f"complete it{need}, and enter the day as [cataloguing] trained_on",
    )  # fmt: skip


def _holdings_kept_current(application: Application, known: Known) -> Said:
    if application.holdings.keeps_current:
        return Said("the library commits itself to show its holdings and keep them current")
    return Said(
        "the library has not committed itself to show its holdings and keep them current",
        "have the library commit itself, then [holdings] keeps_current = true",
    )


def _limited_kind(application: Application, _known: Known) -> Said:
    if application.kind == "school":
        return Said("it is a school library")
    if application.audience.publicly_funded and application.audience.is_closed:
        return Said("it is publicly funded and has a closed audience")
    lacks = "publicly funded" if application.audience.is_closed else "closed to the public"
    return Said(
        f"it is no school library, and not {lacks}",
        "limited participation is for school libraries and for publicly funded libraries with a closed audience: "
        "apply for registering participation, or correct [audience]",
    )


def _school_staffed(application: Application, known: Known) -> Said:
    hours, wanted = application.staffing.hours_a_week, known.rules.school_hours_a_week
    if hours is None:
        return Said("nobody has said how much it is staffed", "enter [staffing] hours_a_week")
    if hours < wanted:
        return Said(
            f"it is staffed {hours:g} hours a week, not {wanted:g}", f"staff it {wanted:g} hours a week or more"
        )
    return Said(f"it is staffed {hours:g} hours a week; {wanted:g} are asked")


def _municipality_agreed(application: Application, known: Known) -> Said:
    sigel = application.municipality_library.sigel
    library = known.libraries.get(sigel) if sigel else None
    if library is None:
        said = f"the register has no library {sigel}" if sigel else "the municipality's library is not named"
        return Said(said, "enter the sigel of the municipality's library as [municipality_library] sigel")
    if wrong := _is_no_municipality_library(library, application, known.on):
        return Said(wrong, "name the registering library of the school's municipality as [municipality_library] sigel")
    return _dated(
        application.municipality_library.agreed_on, known.on, f"{library.name} agreed",
        f"{library.name} has not agreed",
        "have it agree first, and enter the day as [municipality_library] agreed_on",
    )  # fmt: skip


def _is_no_municipality_library(library: Library, application: Application, on: date) -> str:
    """Why a library cannot speak for the school's municipality; empty where it can."""
    if library.sigel == application.sigel:
        return "the school library names itself as the municipality's library"
    if library.participation != "registering" or not library.has_agreement(on):
        return f"{library.name} is no registering library with an agreement in force"
    if not application.municipality:
        return "the school's municipality is not named"
    if (library.municipality or "").casefold() != application.municipality.casefold():
        whose = library.municipality or "no municipality"
        return f"{library.name} is the library of {whose}, not of {application.municipality}"
    return ""


def _dated(day: date | None, on: date, met: str, unmet: str, remedy: str) -> Said:
    """A rule that is met by something that happened on a day, at the latest today."""
    if day is None:
        return Said(unmet, remedy)
    if day > on:
        return Said(f"{day} is still to come", f"{remedy}; it must not be later than the day of the check ({on})")
    return Said(f"{met} on {day}")


_REGISTERING = ("open_to_public", "cataloguing_competence", "cataloguing_training", "holdings_kept_current")
_LIMITED = ("limited_kind", "school_staffed", "municipality_agreed")
_SCHOOLS = ("school_staffed", "municipality_agreed")
RULES: Mapping[str, Rule] = {
    "sigel_unique": _sigel_unique,
    "contact_reachable": _contact_reachable,
    "agreement_signed": _agreement_signed,
    "agreement_dates": _agreement_dates,
    "suppliers_known": _suppliers_known,
    "open_to_public": _open_to_public,
    "cataloguing_competence": _cataloguing_competence,
    "cataloguing_training": _cataloguing_training,
    "holdings_kept_current": _holdings_kept_current,
    "limited_kind": _limited_kind,
    "school_staffed": _school_staffed,
    "municipality_agreed": _municipality_agreed,
}
"""Every rule by its id, in the order of the checklist. The ids are stable: they stand in rows."""
