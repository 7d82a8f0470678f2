"""The judge of mutation runs: what it lets pass, and what not."""

from tests.mutation import problems

A, B = ("module.function", "return a"), ("module.function", "return b")


def test_a_run_passes_when_nine_in_ten_are_killed_and_each_survivor_has_its_reason() -> None:
    assert problems(["killed"] * 9 + ["survived"], [A], [A]) == []


def test_a_run_below_nine_in_ten_fails_however_many_reasons_there_are() -> None:
    found = problems(["killed"] * 8 + ["survived", "no tests"], [A, B], [A, B])

    assert found == ["80.0% of 10 mutants killed; at least 90%"]


def test_a_survivor_without_reason_and_a_reason_without_survivor_fail() -> None:
    found = problems(["killed"] * 20 + ["survived"], [A], [B])

    assert found == [
        "survivor without a reason: module.function: return a",
        "reason without a survivor: module.function: return b",
    ]


def test_a_run_that_did_not_finish_fails() -> None:
    assert problems([], [], []) == ["no mutants: `mutmut run` did not finish"]
    assert "were not checked" in problems(["killed", "not checked"], [], [])[0]
