"""What the README asks without Kafka is answered."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.contract.frame.generated import ROOT, lotrisk

TRY_IT = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Try it\n")[1].split("\n## ")[0]
QUESTIONS = re.findall(r"^lotrisk (.*)$", TRY_IT, re.MULTILINE)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_of_the_readme_is_answered(question: str) -> None:
    answer = lotrisk(*shlex.split(question))
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip()


def test_the_readme_asks_for_the_chinese_electric_car_and_gets_its_total() -> None:
    (question,) = (question for question in QUESTIONS if question.startswith("estimate "))
    assert re.search(r"total\D+127\.5\D+38250\.00", lotrisk(*shlex.split(question)).stdout)
