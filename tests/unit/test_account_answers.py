"""What the sender of a file about accounts is told of a row, in the languages of the libraries."""

from __future__ import annotations

import io

import pytest

from tasks.account_files.answering import CAUSES, cause_of
from tasks.accounts.csv_files import AccountFile, Reject
from tasks.notices.wording import standard_book

HEAD = b"login,library,kind,email,mission_start,roles\n"
WRONG = {
    b"eva,SOLB,,,30.1.2026,": "no_day",
    b"eva,SOLB,,,2026-02-30,": "no_such_day",
    b"eva,SOLB,,,1026-02-20,": "another_age",
    b"eva,SOLB,,eva,,": "no_email",
    b"eva,SOLB,team,,,": "none_of",
    b"eva,SOLB,,,,9": "no_role",
    b"eva,,,,,": "empty",
    b"eva,SOLB": "cells",
    b"ev\xe5,SOLB,,,,": "not_utf8",
}


@pytest.mark.parametrize("language", standard_book().languages)
@pytest.mark.parametrize(("row", "cause"), WRONG.items(), ids=WRONG.values())
def test_why_a_row_cannot_be_read_is_said_in_the_senders_language(row: bytes, cause: str, language: str) -> None:
    (reject,) = AccountFile(io.BytesIO(HEAD + row + b"\n"), "file.csv").rows()
    assert isinstance(reject, Reject)
    phrases = standard_book().language(language)
    pattern = next(pattern for pattern, name in CAUSES if name == cause)
    found = pattern.fullmatch(reject.cause)
    assert found is not None
    assert cause_of(reject, phrases) == phrases.say(f"accounts.cause.{cause}", **found.groupdict())
    assert f"accounts.cause.{cause}" in phrases.phrases


def test_a_cause_that_no_language_knows_is_said_as_it_is() -> None:
    said = cause_of(Reject(4, "decision", "there is nothing to renew", "correct it"), standard_book().language("sv"))
    assert said == "there is nothing to renew: correct it"
