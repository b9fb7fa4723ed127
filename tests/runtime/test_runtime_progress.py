"""What a log file and a terminal see of bars."""

import io

from pipeline.runtime import progress
from pipeline.runtime.progress import bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def work(monkeypatch, seconds):
    """Advance a bar by two parts of three images; the clock runs `seconds` for each image."""
    now = [1000.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    with bar(2, "whole", "generator") as whole:
        for _ in range(2):
            with bar(3, "part", "image", part=True) as part:
                for _ in range(3):
                    now[0] += seconds
                    part.update()
            whole.update()


def test_a_log_file_is_told_of_parts_that_last_in_lines_of_their_own(monkeypatch, capsys):
    work(monkeypatch, 0.1)
    quick = capsys.readouterr().err
    assert "part" not in quick and quick.count("whole: ") == 2
    work(monkeypatch, progress.LOG_SECONDS + 1)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("|")[0] for line in lines if line.startswith("part")] == [
        "part:  33%",
        "part:  67%",
        "part: 100%",
    ] * 2
    assert all(line.startswith(("part: ", "whole: ")) and "\x1b" not in line for line in lines)


def test_a_terminal_shows_a_part_below_the_whole_and_takes_it_away(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    work(monkeypatch, progress.PATIENCE + 1)
    shown = terminal.getvalue()
    assert "\n\rpart:  33%" in shown
    assert shown.rstrip("\n").split("\r")[-1].startswith("whole: 100%")
