"""`samkat accounts` and `samkat why account` as a person gives them, those that need no Prefect server."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deployments.cli.app import run
from schemas.summaries import AccountSummary
from tasks.accounts.stages import account_runs_of, ask_system, last_outbound, revert_account_runs, send_changes
from tasks.warehouse.runs import finish_run, start_run
from tasks.warehouse.systems_in_trouble import SystemInTrouble, systems_in_trouble
from tasks.workplace import Workplace
from tests.unit.account_samples import day
from tests.warehouse.account_night import NOW, one
from tests.warehouse.conftest import OpenHome

STAFF = (
    "login,library,kind,employment,name,email,supporter,mission_end,tasks,owner,contact\n"
    "eva,SOLB,personal,temporary,Eva Lind,eva@solberg.example,bo@solberg.example,2026-05-02,loans,,\n"
    "vera,SOLB,personal,volunteer,Vera Ek,vera@solberg.example,,,shelving,,\n"
    "desk,LUNV,shared,,,,,,,LUNV,desk@lundviken.example\n"
    "halv,SOLB,personal,temporary,Halv,halv@solberg.example,,,loans,,\n"
)


@pytest.fixture
def home(open_home: OpenHome, sqlite_template: Path, tmp_path: Path) -> Workplace:
    """SQLite alone: what the commands do in the warehouse is tried on both engines elsewhere."""
    file = tmp_path / "warehouse.db"
    shutil.copyfile(sqlite_template, file)
    return open_home(f"sqlite:///{file}", tmp_path / "home", today="2026-01-15", stable_seconds=0)


@pytest.fixture
def said(home: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `samkat accounts ...` with a file of this text; returns exit code and the JSON document."""

    def command(*words: str, text: str | None = None) -> tuple[int, Any]:
        if text is not None:
            file = tmp_path / "file.csv"
            file.write_text(text, encoding="utf-8")
            words = (words[0], str(file), *words[1:])
        code = run(["accounts", *words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return command


def test_a_file_is_tried_taken_and_recognised(said: Any) -> None:
    alma = ("--system", "alma")
    assert said("import", *alma, "--dry-run", text=STAFF)[1]["counts"]["created"] == 3
    assert said("show")[1]["accounts"] == []
    code, document = said("import", *alma, text=STAFF)
    assert (code, document["counts"]["incomplete"], document["kind"]) == (3, 1, "accounts")
    assert document["answers"][0][1] == "halv"
    assert said("import", *alma, text=STAFF)[1]["is_repeat"] is True
    assert [row["login"] for row in said("show", "--library", "SOLB")[1]["accounts"]] == ["eva", "vera"]


def test_wrong_use_says_what_to_do(said: Any) -> None:
    code, document = said("import", text=STAFF)
    assert (code, document["error"]["remedy"]) == (2, "known are alma, legimus")
    assert said("import", "--system", "alma", "--on", "31.12.2026", text=STAFF)[0] == 2
    assert said("import", "--system", "alma", text="shoe,size\n1,2\n")[0] == 2
    code, document = said("show", "--status", "ended")
    assert (code, document["error"]["remedy"]) == (2, "known are waiting, active, expired, inactive, retired")
    assert said("show", "--system", "amla")[1]["error"]["remedy"] == "known are alma, legimus"
    assert said("renewals", "--year", "20266")[0] == 2


def test_a_file_that_is_a_header_alone_is_said_to_hold_no_row(
    home: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "leavers.csv"
    file.write_text("login,leaver_on\n", encoding="utf-8")
    assert run(["accounts", "import", str(file), "--system", "alma"]) == 0
    assert "Alma, leavers: the file holds no row." in capsys.readouterr().out


def test_a_system_without_a_switch_date_says_that_no_login_ends(
    home: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["accounts", "retire", "--system", "alma"]) == 0
    assert "no switch date is set" in capsys.readouterr().out


def test_a_sweep_is_listed_explained_and_undone(said: Any, home: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    said("import", "--system", "alma", text=STAFF)
    one(home.warehouse, day("2026-06-03"))
    sweep, file = sorted(said("runs")[1]["runs"], key=lambda each: each["run"], reverse=True)
    assert (sweep["run"], sweep["on"], sweep["state"], sweep["changed"]) == ("sweep-1", "2026-06-03", "applied", 1)
    assert (file["run"], file["what"], file["changed"]) == ("import-1", "accounts: file.csv", 3)
    assert run(["why", "account", "1", "--json"]) == 0
    why = json.loads(capsys.readouterr().out)
    assert why["account"]["status"] == "expired"
    assert why["actions"][-1]["action"] == "expire"
    assert why["origins"]["mission_end_on"] == ["import:file.csv", "2026-01-15"]
    assert run(["why", "account", "EVA"]) == 0
    assert "end_over" in capsys.readouterr().out
    (named,) = account_runs_of("sweep-1")
    assert revert_account_runs.fn((named,), dry_run=True)["accounts"] == 1
    assert revert_account_runs.fn((named,))["accounts"] == 1
    assert revert_account_runs.fn((named,))["was_reverted"] is True
    assert run(["revert", "sweep 1", "--json"]) == 2


def test_the_year_end_list_answers_rotation_and_retirement_are_shown(said: Any) -> None:
    said("import", "--system", "alma", text=STAFF)
    (coming,) = [row for row in said("renewals", "--year", "2026")[1]["accounts"] if row["login"] == "vera"]
    assert (coming["outcome"], coming["expires_on"]) == ("not asked yet", "2026-12-31")
    answer = "login,decision\nvera,ja\n"
    assert said("renew", "--system", "alma", "--by", "Anna Berg", text=answer)[1]["counts"]["changed"] == 1
    assert said("rotate", "--system", "alma", text="login,rotated_on\neva,2026-01-10\n")[0] == 3
    (desk,) = said("rotate", "--system", "alma", "--on", "2026-08-10")[1]["accounts"]
    assert (desk["login"], desk["standing"], desk["rotation_day"]) == ("desk", "to do", "2026-09-01")
    assert said("rotate", "--system", "alma", "--start", text="login,rotated_on\ndesk,2026-01-10\n")[0] == 2
    assert said("rotate", "--system", "legimus")[0] == 2


def test_a_login_that_several_systems_have_is_asked_back(said: Any, capsys: pytest.CaptureFixture[str]) -> None:
    said("import", "--system", "alma", text=STAFF)
    other = "login,library,name,email,tasks\neva,SOLB,Eva Lind,eva@solberg.example,talking books\n"
    assert said("import", "--system", "legimus", text=other)[1]["counts"]["created"] == 1

    def why(*words: str) -> tuple[int, str]:
        code = run(["why", "account", *words])
        return code, "".join(capsys.readouterr())

    code, answer = why("eva")
    assert (code, "1 in alma, 4 in legimus" in answer) == (2, True)
    assert why("eva", "--system", "legimus")[1].startswith("Account 4, eva in legimus")
    assert why("4", "--system", "alma")[0] == why("nobody")[0] == 2
    (login,) = said("retire", "--system", "alma")[1]["logins"]
    assert (login["login"], login["personal"]) == ("desk", 0)


def test_while_a_system_is_in_trouble_its_file_waits_and_the_next_one_has_everything(
    said: Any, home: Workplace
) -> None:
    said("import", "--system", "alma", text=STAFF)
    trouble = ask_system.fn("alma")
    assert trouble == ""
    assert send_changes.fn("alma", None, "its status page says major") == {"waits for the system": 1}
    assert last_outbound(home, "alma") is None
    assert send_changes.fn("alma", None) == {"sent": 3}
    file = last_outbound(home, "alma")
    assert file is not None
    assert file.accounts == 3
    assert home.zone.exists(file.uri)


def test_status_says_which_system_is_in_trouble_and_since_when(home: Workplace) -> None:
    well = AccountSummary("legimus", day("2026-06-03"), {"expire": 2})
    bad = AccountSummary("alma", day("2026-06-03"), {"expire": 1}, trouble="its status page says major")
    assert (bad.is_held, well.is_held) == (True, False)
    nights = [[well], [bad, well], [bad, well], [AccountSummary("alma", day("2026-06-04"), is_preview=True)]]
    found = []
    for number, summaries in enumerate([*nights, [well]]):
        totals = dict(sum((each.tally for each in summaries), Counter[str]()))
        at = NOW + timedelta(days=number)
        start_run(home.warehouse, f"run {number}", "account-sweep", "account-sweep", at)
        finish_run(home.warehouse, f"run {number}", "done", totals, at)
        with home.warehouse.read() as connection:
            found.append(systems_in_trouble(connection))
    since = SystemInTrouble("alma", NOW + timedelta(days=1))
    assert found[1:4] == [[since], [since], [since]]
    assert (found[0], found[4]) == ([], [])
