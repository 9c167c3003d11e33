"""The e-mail about a run that failed: reason, deliveries, what to do next, in every language."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.notices.failures import FailedRun, LeftDelivery, compose_failed
from tasks.notices.holds import HeldClass, HeldDelivery, Pages, compose_held
from tasks.notices.wording import Reason, standard_book

FAILED = FailedRun(
    recipient="drift@samkatalogen.example",
    language="en",
    run_id="0f0e",
    flow="supplier-ingest",
    subject="NORDBOK",
    reason="the file store was <away>",
    is_crashed=False,
    again="prefect flow-run retry 0f0e",
    page="http://prefect.example/runs/flow-run/0f0e",
    deliveries=(LeftDelivery(7, "NORDBOK", "day.mrc", "staged", "stopped by an error: away"),),
)
NAME, SENDER = "Samkatalogen", "catalogue@samkatalogen.example"


@pytest.mark.parametrize("language", standard_book().languages)
def test_it_says_why_what_was_left_and_the_exact_command(language: str) -> None:
    mail = compose_failed(replace(FAILED, language=language), NAME, SENDER)
    assert mail.language == language
    assert "supplier-ingest" in mail.subject
    for what in (
        "the file store was <away>",
        "7, NORDBOK: day.mrc (staged)",
        "prefect flow-run retry 0f0e",
        "samkat status",
    ):
        assert what in mail.text
    assert "the file store was &lt;away&gt;" in mail.html
    assert '<a href="http://prefect.example/runs/flow-run/0f0e">' in mail.html


def test_a_run_is_told_once_and_a_lost_process_in_other_words() -> None:
    mail, lost = (compose_failed(replace(FAILED, is_crashed=each), NAME, SENDER) for each in (False, True))
    assert (mail.dedup_key, lost.dedup_key) == ("failed|0f0e", "failed|0f0e")
    assert "has ended with an error" in mail.text
    assert "was lost" in lost.text


def test_a_run_by_hand_without_a_page_is_given_as_a_command_again() -> None:
    mail = compose_failed(replace(FAILED, again=None, page=None, deliveries=()), NAME, SENDER)
    assert "give the same command again" in mail.text
    assert "http" not in mail.text + mail.html
    assert "None" not in mail.text + mail.html


def test_the_mail_about_a_hold_leads_to_the_run_and_to_the_form_with_the_plan_filled_in() -> None:
    held_class = HeldClass("quality:isbn", 16, 24, 7, Reason("quality:isbn", "no ISBN"))
    held = HeldDelivery("drift@samkatalogen.example", "en", 7, "Nordbok", "day.mrc", "ab12", True, (held_class,))
    mail = compose_held(held, NAME, SENDER, Pages("http://p.example/runs/1", "http://p.example/deployments/2/run"))
    assert "http://p.example/runs/1" in mail.text
    assert "http://p.example/deployments/2/run?parameters=%7B%22plan_hash%22%3A%20%22ab12%22%7D" in mail.text
    assert "http" not in compose_held(held, NAME, SENDER).text
