"""Decisions that come back as CSV, through whatever program."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.notices.decisions import MAX_BYTES, Choice, DecisionProblem, read_decisions


def read(content: str | bytes) -> tuple[list[tuple[int, str]], list[str]]:
    data = content.encode() if isinstance(content, str) else content
    decisions, problems = read_decisions(io.BytesIO(data))
    return [(each.review_id, str(each)) for each in decisions], [str(each) for each in problems]


PLAIN = "review_id,decision,comment\n41,match:881,samma å\n42,new,\n43,reject,dålig\n44,,\n"
TAKEN = [(41, "match:881"), (42, "new"), (43, "reject")]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("cp1252"),
        PLAIN.encode("utf-16"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode("utf-16"),
        b"sep=;\r\n" + PLAIN.replace(",", ";").encode("cp1252"),
        b"\r\n;;\r\n" + PLAIN.replace(",", ";").encode(),
        PLAIN.replace("review_id", " Review ID ").replace("decision", "DECISION").encode(),
        PLAIN.replace("41,", " 41 ,").replace("new", " New ").replace("match:881", " MATCH : 881 ").encode(),
        PLAIN.replace("match:881", "match 881").encode(),
        PLAIN.replace("match:881", '"match:\xa0881"').encode(),
        PLAIN.replace("41", '"41"').replace("new", '"new"').encode(),
        (PLAIN + ",,\n\n,,\n").encode(),
        b"title,decision,x,review_id\nA,match:881,,41\nB,new,,42\nC,reject,,43\nD,,,44\n",
    ],
    ids=range(17),
)
def test_every_way_a_spreadsheet_writes_it_is_read(content: bytes) -> None:
    assert read(content) == (TAKEN, [])


def test_choice_bib_comment_and_line_are_kept() -> None:
    decisions, _ = read_decisions(
        io.BytesIO('review_id;decision;comment\n41;match:881;"två\nrader"\n42;new;x'.encode())
    )
    first, second = decisions
    assert (first.choice, first.bib_id, first.comment, first.line) == (Choice.MATCH, 881, "två\nrader", 2)
    assert (second.choice, second.bib_id, second.comment, second.line) == (Choice.NEW, None, "x", 4)


def test_an_undecided_row_is_no_problem() -> None:
    assert read("review_id,decision\n41,\n42,  \n43,''\n") == ([], [])


@pytest.mark.parametrize(
    "word", ["match", "match:", "match:x", "yes", "match:1;2", "new:5", "matchh:5", "881", "reject it"]
)
def test_a_decision_that_is_not_understood_names_its_line_and_the_way_out(word: str) -> None:
    taken, problems = read(f'review_id,decision\n41,new\n42,"{word}"\n43,reject\n')
    assert taken == [(41, "new"), (43, "reject")]
    assert problems == [
        f"line 3: decision '{word}' is not understood "
        "(write match: and the number of the bib, or new, or reject, or leave it empty)"
    ]


@pytest.mark.parametrize(("value", "shown"), [("", "empty"), ("abc", "'abc'"), ("4x", "'4x'"), ("-4", "'-4'")])
def test_a_decision_without_its_review_is_a_problem(value: str, shown: str) -> None:
    assert read(f"review_id,decision\n{value},new\n") == (
        [],
        [f"line 2: review_id is {shown}, not a number (copy it from the worklist)"],
    )


def test_deciding_twice_the_same_counts_once() -> None:
    assert read("review_id,decision\n41,new\n41,NEW\n") == ([(41, "new")], [])


def test_deciding_twice_differently_counts_for_neither_and_names_both_lines() -> None:
    assert read("review_id,decision\n41,new\n42,reject\n41,match:5\n41,new\n") == (
        [(42, "reject")],
        [
            "line 4: review 41 is decided twice: new in line 2, match:5 here "
            "(keep one of the two lines and send the file again; neither was taken)"
        ],
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file: empty (send the worklist with its heading line)"),
        (b"\r\n\r\n", "the file: empty (send the worklist with its heading line)"),
        (
            b"PK\x03\x04workbook",
            "the file: not a text file (save the worklist as CSV, not as a workbook (xlsx, ods))",
        ),
        (b"a\0b", "the file: not a text file (save the worklist as CSV, not as a workbook (xlsx, ods))"),
        (
            b"41,new\n",
            "line 1: the heading line must have the column review_id and decision once "
            "(keep the worklist's heading line; the separator is ; or , or tab)",
        ),
        (
            b"review_id,decision,decision\n41,new,new\n",
            "line 1: the heading line must have the column decision once "
            "(keep the worklist's heading line; the separator is ; or , or tab)",
        ),
    ],
)
def test_a_file_that_is_no_worklist_says_what_to_do(content: bytes, problem: str) -> None:
    assert read(content) == ([], [problem])


def test_an_enormous_file_is_refused() -> None:
    decisions, problems = read_decisions(io.BytesIO(b"x" * (MAX_BYTES + 1)))
    assert decisions == []
    assert problems == [DecisionProblem(0, "larger than 20 MB", "send the worklist alone")]


def test_an_open_quotation_mark_keeps_the_lines_before_it() -> None:
    taken, problems = read('review_id,decision\n41,new\n42,"new\n' + "x" * 200_000)
    assert taken == [(41, "new")]
    assert len(problems) == 1
    assert problems[0].startswith("line 2: not CSV after this line: field larger than field limit")


@given(st.binary(max_size=400))
@example(b"review_id,decision\n41,match:" + b"9" * 300)
def test_any_bytes_end_in_decisions_and_problems_never_in_an_error(content: bytes) -> None:
    decisions, problems = read_decisions(io.BytesIO(content))
    assert all(problem.remedy for problem in problems)
    assert all(decision.review_id >= 0 for decision in decisions)


@given(
    st.dictionaries(
        st.integers(1, 10**12),
        st.one_of(st.sampled_from(["new", "reject"]), st.integers(1, 10**12).map(lambda bib: f"match:{bib}")),
        max_size=20,
    ),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
)
def test_what_was_decided_is_what_is_read(decided: dict[int, str], separator: str, charset: str) -> None:
    lines = [separator.join(("review_id", "decision"))] + [f"{key}{separator}{word}" for key, word in decided.items()]
    assert read("\r\n".join(lines).encode(charset)) == (list(decided.items()), [])


def test_pairs_of_bibs_are_decided_in_the_same_file() -> None:
    found, problems = read_decisions(
        io.BytesIO(b"review_id,decision\nD4,same\n4,new\nd5,Same: 12\nD6,DIFFERENT\nD7,match:3\n8,same\nD9,\n")
    )
    assert [(each.key, each.is_pair, str(each)) for each in found] == [
        ("D4", True, "same"), ("4", False, "new"), ("D5", True, "same:12"), ("D6", True, "different"),
    ]  # fmt: skip
    assert [each.line for each in problems] == [6, 7]
    assert "write same" in problems[0].remedy
    assert "write match:" in problems[1].remedy


def test_a_review_and_a_pair_of_the_same_number_are_two_cases() -> None:
    disputed = b"review_id,decision\nD4,same\n4,new\nD4,different\n"
    found, (problem,) = read_decisions(io.BytesIO(disputed))
    assert [each.key for each in found] == ["4"]
    assert "review D4 is decided twice" in problem.cause
