"""Every question about the tables, put to AllenSDK and to us."""

from __future__ import annotations

import pytest

from .conftest import Report
from .questions import ARGUMENTS, QUESTIONS, Question
from .sides import Sides


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_same_answer(question: Question, sides: Sides, report: Report) -> None:
    _check(question, sides, report)


# Types change what is read and compared, not what is kept: fewer questions do.
@pytest.mark.parametrize("question", QUESTIONS[::11], ids=str)
def test_same_answer_from_columns_of_other_types(
    question: Question, sides_of_other_types: Sides, report: Report
) -> None:
    _check(question, sides_of_other_types, report)


def _check(question: Question, sides: Sides, report: Report) -> None:
    report.asked += 1
    outcome = sides.compare(question)
    report.cells += outcome.cells
    assert outcome.differences == []
    report.agreed += 1


def test_questions_are_many_and_each_is_another() -> None:
    assert len(set(QUESTIONS)) == len(QUESTIONS) >= 300
    assert {question.method for question in QUESTIONS} == set(ARGUMENTS)
