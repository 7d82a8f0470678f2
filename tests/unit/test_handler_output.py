"""What handlers print: off the screen, in a file, and its metrics added up."""

import json
import sys
import threading
from pathlib import Path

import pytest

from ops.handler_output import HandlerOutput


def metric_line(**metrics: object) -> str:
    names = [{"Name": name, "Unit": "Count"} for name in metrics]
    return json.dumps({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Metrics": names}]}, "service": "x", **metrics})


def test_what_is_printed_goes_to_the_file_and_not_to_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with HandlerOutput.overwriting(tmp_path / "log").captured():
        print("from a handler")
        print("an error", file=sys.stderr)
    print("from the demo")

    assert (tmp_path / "log").read_text() == "from a handler\nan error\n"
    assert capsys.readouterr().out == "from the demo\n"


def test_metrics_are_added_up_over_lines_whether_number_or_list(tmp_path: Path) -> None:
    output = HandlerOutput.overwriting(tmp_path / "log")

    with output.captured():
        print(metric_line(Applied=[2.0, 3.0], Rejected=1))
        print(metric_line(Applied=[1.0]))
        print('{"level": "INFO", "message": "\\"_aws\\" is only mentioned"}')

    assert output.metrics() == {"Applied": 6, "Rejected": 1}
    assert output.log_lines == 1


def test_lines_of_several_threads_never_mix(tmp_path: Path) -> None:
    output = HandlerOutput.overwriting(tmp_path / "log")

    def write(letter: str) -> None:
        for _ in range(50):
            for _ in range(5):
                output.write(letter)
            output.write("\n")

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    output.close()

    lines = (tmp_path / "log").read_text().splitlines()
    assert sorted(lines) == sorted([letter * 5 for letter in "abcd"] * 50)


def test_what_comes_after_the_end_is_dropped(tmp_path: Path) -> None:
    output = HandlerOutput.overwriting(tmp_path / "log")

    output.close()
    output.write("late\n")

    assert (tmp_path / "log").read_text() == ""
