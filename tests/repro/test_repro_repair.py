import json
import os
import subprocess
import sys
import time

import pytest
import yaml

from pipeline.repro.repair import refuse_conflicts, repair
from pipeline.runtime.errors import UserError

STAGES = {
    f"train@{run}": {
        "cmd": f"python train.py {run}",
        "deps": [{"path": "data", "hash": "md5", "md5": "0" * 32, "size": 7}],
        "outs": [{"path": f"models/{run}", "hash": "md5", "md5": "1" * 32 + ".dir", "size": 9, "nfiles": 2}],
    }
    for run in "abc"
}
TEXT = yaml.safe_dump({"schema": "2.0", "stages": STAGES}, sort_keys=False)


def test_a_record_cut_anywhere_is_readable_again_and_keeps_what_is_whole(tmp_path):
    file = tmp_path / "dvc.lock"
    for end in [*range(0, len(TEXT), 9), len(TEXT)]:
        file.write_text(TEXT[:end])
        repair(tmp_path)
        if not file.exists():
            assert end <= TEXT.index("  train@b:") + 3
            continue
        kept = yaml.safe_load(file.read_text()).get("stages", {})
        whole = [run for run in "abc" if end >= len(TEXT) or TEXT[:end].count("\n  train@") > "abc".index(run) + 1]
        assert all(kept[f"train@{run}"] == STAGES[f"train@{run}"] for run in whole)


def test_what_is_whole_or_broken_otherwise_is_left_alone(tmp_path):
    assert repair(tmp_path) == []
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / ".dvc/tmp/rwlock").write_text('{"read": {}}')
    conflict = TEXT.replace("    deps:", "<<<<<<< ours\n    deps:", 1)
    for text in (TEXT, conflict):
        (tmp_path / "dvc.lock").write_text(text)
        assert repair(tmp_path) == []
        assert (tmp_path / "dvc.lock").read_text() == text


def test_half_a_list_of_readers_is_removed(tmp_path):
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    for text in ("", '{"read": {"a": [{"pid"'):
        (tmp_path / ".dvc/tmp/rwlock").write_text(text)
        assert len(repair(tmp_path)) == 1
        assert not (tmp_path / ".dvc/tmp/rwlock").exists()


def test_locks_of_processes_that_are_gone_are_dropped(tmp_path):
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    locks = tmp_path / ".dvc/tmp/rwlock"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    zombie = subprocess.Popen([sys.executable, "-c", ""])  # that nobody waits for yet
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    alive, other = ({"pid": process, "cmd": "dvc repro"} for process in (os.getpid(), os.getppid()))
    dead = [{"pid": process.pid, "cmd": "dvc repro"} for process in (ended, zombie)]
    held = {"write": {"a": alive, "b": dead[0]}, "read": {"c": [dead[1], other], "d": dead}}
    locks.write_text(json.dumps(held))
    assert "2 processes" in repair(tmp_path)[0]
    assert json.loads(locks.read_text()) == {"write": {"a": alive}, "read": {"c": [other]}}
    assert repair(tmp_path) == []
    long_ago = time.time() - 1e9  # before either process began: their numbers were given anew
    os.utime(locks, (long_ago, long_ago))
    repair(tmp_path)
    assert json.loads(locks.read_text()) == {"write": {}, "read": {}}
    zombie.wait()


@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml"])
def test_a_conflict_is_named_with_the_way_out_wherever_it_begins(tmp_path, name):
    lines = TEXT.splitlines(keepends=True)
    for start in range(len(lines)):
        end = min(start + 3, len(lines))
        ours = "".join(lines[start:end])
        conflict = f"<<<<<<< HEAD\n{ours}=======\n{ours.replace('0', '2')}>>>>>>> other\n"
        (tmp_path / name).write_text("".join([*lines[:start], conflict, *lines[end:]]))
        with pytest.raises(UserError, match=rf"{name}: holds the conflict markers of a merge; `git checkout --ours"):
            refuse_conflicts(tmp_path)
    (tmp_path / name).write_text(TEXT)
    refuse_conflicts(tmp_path)


@pytest.mark.parametrize("held", ["[]", '{"write": 3}', '{"read": {"a": [3]}}', '{"write": {"a": {"pid": "x"}}}', "\0"])
def test_locks_that_say_nothing_are_removed(tmp_path, held):
    file = tmp_path / ".dvc/tmp/rwlock"
    file.parent.mkdir(parents=True)
    file.write_text(held)
    assert len(repair(tmp_path)) == 1 and not file.exists()
