"""The runner on a project of stages that sleep, with DVC itself."""

import os
import signal
import time

import pytest
from dvc.lock import make_lock

pytestmark = pytest.mark.slow


def test_stages_overlap_and_the_record_is_that_of_a_serial_run(project, serial):
    done = project.do(*project.runner("--jobs", "2"))
    assert project.lock() == serial
    times = project.times()
    starts = [when for (_, what), when in times.items() if what == "start"]
    running = [sum(times[name, "start"] <= at < times[name, "end"] for name, _ in times) // 2 for at in starts]
    assert max(running) == 2
    assert "5/5  report: done" in done.stdout
    assert "Running stage" not in done.stdout  # the plain `dvc repro` at the end found nothing to do
    assert "Running stage 'make@b'" in (project.folder / ".scratch/logs/make@b.log").read_text()
    assert project.quiet(1)


def test_a_failure_stops_what_needs_it_and_nothing_else_and_is_listed_at_the_end(project):
    (project.folder / "fail").write_text("make@-b")
    done = project.do(*project.runner("--jobs", "2"), check=False)
    assert done.returncode == 1
    assert set(project.lock()["stages"]) == {"make@a", "score@a"}
    assert "error: make@b: DVC ended with status 255" in done.stderr
    assert "this stage was told to fail" in done.stderr and "Traceback" not in done.stderr
    assert "not run, since it needs make@b: report, score@b" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("1 of 5 stages failed: make@b; 2 are done.")
    assert "report: started" not in done.stdout
    (project.folder / "fail").unlink()
    assert "3/3" in project.do(*project.runner("--jobs", "2")).stdout  # what is done is not done again
    assert project.quiet(1)


def test_one_job_goes_on_after_a_failure_too(project):
    (project.folder / "fail").write_text("make@-b")
    done = project.do(*project.runner("--jobs", "1"), check=False)
    assert done.returncode == 1 and "failed to reproduce 'make@b'" in done.stderr
    assert set(project.lock()["stages"]) == {"make@a", "score@a"}


def test_targets_only(project):
    project.do(*project.runner("--jobs", "2", "score@a", "make@a"))
    assert set(project.lock()["stages"]) == {"make@a", "score@a"}


@pytest.mark.parametrize("forked", [False, True])
@pytest.mark.parametrize(
    ("options", "make", "score"),
    [
        ([], {"GPU-a", "GPU-b"}, {"all"}),
        (["--jobs", "1"], {"GPU-a"}, {"GPU-a"}),  # one place, on which all take turns
    ],
)
def test_stages_that_ask_for_a_gpu_get_one_each_and_the_others_the_cores(project, cards, options, make, score, forked):
    cards("GPU-a", "GPU-b")
    (project.folder / "stages/make.py").write_text("device = prepare()")
    (project.folder / "stages/score.py").write_text("prepare(cpu=True)")
    project.yaml(0.8, forked)
    stage = project.folder / ("stages/work.py" if forked else "stage.py")
    place = "{__import__('os').environ.get('CUDA_VISIBLE_DEVICES', 'all')}"
    stage.write_text(stage.read_text().replace("{start}", place))
    project.do(*project.runner(*options, "score"))
    lines = [line.split() for line in (project.folder / "times").read_text().splitlines() if " start " in line]
    used = {kind: {place for name, _, place in lines if name.startswith(kind)} for kind in ("make", "score")}
    assert used == {"make": make, "score": score}


@pytest.mark.parametrize("forked", [False, True])
def test_killed_in_every_way_it_leaves_no_process_and_goes_on_to_the_same_record(project, forked):
    project.yaml(seconds=60, forked=forked)
    for kind in ("interrupt", "terminate", "runner", "worker", "stage", "all"):
        (project.folder / "times").unlink(missing_ok=True)
        running = project.start("--jobs", "2")
        project.wait_for("make@-a start")
        project.wait_for("make@-b start")
        found = project.processes()
        workers = [process for process, command in found.items() if "pipeline.repro.worker" in command]
        stages = project.stages()
        assert (len(workers), len(stages)) == (2, 2)
        match kind:
            case "interrupt" | "terminate":
                running.send_signal(signal.SIGINT if kind == "interrupt" else signal.SIGTERM)
            case "runner":
                running.kill()
            case "worker" | "stage":
                os.kill((workers if kind == "worker" else stages)[0], signal.SIGKILL)
                time.sleep(0.2)
                running.send_signal(signal.SIGINT)  # the other stage would take a minute
            case "all":
                for process in found:
                    os.kill(process, signal.SIGKILL)
        output, _ = running.communicate(timeout=60)
        assert project.quiet(30), (kind, project.processes())
        if kind in ("interrupt", "terminate"):
            assert running.returncode == 130 and "interrupted" in output and "Traceback" not in output
    project.yaml(seconds=0.8, forked=forked)
    project.do(*project.runner("--jobs", "2"))
    record = project.lock()
    (project.folder / "dvc.lock").unlink()
    project.do("dvc", "repro", "--force")
    assert project.lock() == record


def test_a_stage_of_this_project_is_a_fork_with_torch_and_another_command_is_not(project):
    work = project.folder / "stages/work.py"
    work.write_text("import sys\nprint('torch' in sys.modules)\n" + work.read_text())
    project.yaml(seconds=0.1, forked=True)
    project.do(*project.runner("--jobs", "2"))
    assert "\nTrue\n" in (project.folder / ".scratch/logs/make@a.log").read_text()
    assert set(project.lock()["stages"]) == {"make@a", "make@b", "score@a", "score@b", "report"}
    assert project.quiet(5)


def test_a_fork_that_fails_is_told_as_a_stage_that_fails(project):
    (project.folder / "fail").write_text("make@-b")
    project.yaml(seconds=0.1, forked=True)
    done = project.do(*project.runner("--jobs", "2"), check=False)
    assert done.returncode == 1 and set(project.lock()["stages"]) == {"make@a", "score@a"}
    assert "this stage was told to fail" in done.stderr and "Traceback" not in done.stderr
    assert project.quiet(5)


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(
    ("file", "damage"),
    [("dvc.yaml", "stages: ["), ("dvc.yaml", "stages: 3\n"), ("dvc.yaml", ""),
     ("dvc.lock", "<<<<<<< HEAD\n=======\n>>>>>>> other\n"), ("dvc.yaml", "stages:\n  a: {cmd: '${nothing}'}\n")],
)  # fmt: skip
def test_what_dvc_cannot_read_is_a_sentence(project, file, damage, jobs):
    (project.folder / file).write_text(damage)
    done = project.do(*project.runner("--jobs", jobs), check=False)
    assert "Traceback" not in done.stderr + done.stdout
    assert (done.returncode != 0 and (file in done.stderr or "nothing" in done.stderr)) or damage == ""


def test_another_dvc_at_work_is_a_sentence(project):
    lock = make_lock(str(project.folder / ".dvc/tmp/lock"), tmp_dir=str(project.folder / ".dvc/tmp"))
    with lock:
        done = project.do(*project.runner("--jobs", "2"), check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "another DVC process is running in this checkout; rerun this command" in done.stderr
