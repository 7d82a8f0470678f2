"""The benchmark of reading: checkouts measure in turns, and what is compared is in the table."""

import pytest
from rich.console import Console

from ops.benchmark import recognition
from ops.checkout import CHECKOUT


def test_two_checkouts_read_the_same_events_and_are_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recognition, "_ROUNDS", 1)
    monkeypatch.setattr(recognition, "_CALLS", 1)
    texts = {name: text for name, text in recognition._texts(CHECKOUT).items() if "/log" in name or "/" not in name}

    medians = recognition._measured({"now": CHECKOUT, "then": CHECKOUT}, texts)

    assert medians["now"].keys() == medians["then"].keys() == {recognition.PARSED, *texts}
    assert all(value > 0 for value in medians["now"].values())
    Console().print(recognition._comparison(medians["now"], medians["then"], "then"))
    Console().print(recognition._summary(medians["now"]))
    printed = capsys.readouterr().out
    assert "events of identity systems, the median" in printed
    assert "the dearest" in printed
