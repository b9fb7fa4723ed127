"""Stages that are forked instead of started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.repro import forks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="stages are forked on Linux only")
STAGE = '''"""A stage."""
import os, sys
from pathlib import Path
loaded = "torch" in sys.modules
if __name__ == "__main__":
    print(sys.modules["__main__"].__doc__, Path.cwd().name, sys.argv[1:], os.environ["HERE"], loaded, flush=True)
    {end}
'''
ORPHAN = """
import os, time
from pathlib import Path
from pipeline.runtime import parent
Path("parent").write_text(str(os.getppid()))
Path("began").write_text(str(parent.lost()))
deadline = time.monotonic() + 60
while not parent.lost() and time.monotonic() < deadline:
    time.sleep(0.02)
Path("ended").write_text(str(parent.lost()))
"""
WORKER = """
import os
from pathlib import Path
from pipeline.repro import forks
if __name__ == "__main__":
    forks.run(forks.server(), ["stages.orphan"], Path.cwd(), os.environ, "log")
"""
ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a stage that ends as told; return its status and all that it wrote."""
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/__init__.py").write_text("")
    server, log = forks.server(), tmp_path / "log"
    assert server

    def stage(end: str, *arguments: str) -> tuple[int, str]:
        (tmp_path / "stages/ending.py").write_text(STAGE.format(end=end))
        log.write_text("")
        status = forks.run(server, ["stages.ending", *arguments], tmp_path, {"HERE": "yes"}, log)
        return status, log.read_text()

    return stage


@pytest.mark.parametrize(
    ("command", "call"),
    [
        ("python -m stages.plan", ["stages.plan"]),
        ('python -m stages.train_vae "plan/train_vae/one.yaml"', ["stages.train_vae", "plan/train_vae/one.yaml"]),
        ('python -m stages.train_vae "plan/a b.yaml" --out=x', ["stages.train_vae", "plan/a b.yaml", "--out=x"]),
        ("python -m other.plan", []),
        ("python stages/plan.py", []),
        ("CUDA_VISIBLE_DEVICES= python -m stages.plan", []),
        ("python -m stages.plan > log", []),
        ("python -m stages.plan && touch done", []),
        ('python -m stages.plan "$HOME"', []),
        ("python -m stages.plan plan/*.yaml", []),
        ("python -m stages.plan ~/plan.yaml", []),
    ],
)
def test_only_a_stage_of_this_project_that_needs_no_shell_is_forked(command, call):
    assert forks.call_of(command) == call


def test_a_fork_finds_what_a_start_would_and_torch_besides(run, tmp_path):
    assert run("", "one", "two words") == (0, f"A stage. {tmp_path.name} ['one', 'two words'] yes True\n")
    assert os.environ.get("HERE") is None and Path.cwd() != tmp_path


def test_it_has_a_name_of_its_own(run):
    try:
        Path("/proc/self/comm").write_text(Path("/proc/self/comm").read_text())
    except OSError:
        pytest.skip("this container lets no process name itself")
    assert run("print(Path('/proc/self/comm').read_text())")[1].split()[-1] == "stages.ending"


@pytest.mark.parametrize(
    ("end", "status", "last"),
    [
        ("sys.exit(3)", 3, "True"),
        ("sys.exit('no such plan')", 1, "no such plan"),
        ("raise ValueError('wrong')", 1, "ValueError: wrong"),
        ("os.kill(os.getpid(), 9)", -signal.SIGKILL, "True"),
    ],
)
def test_its_end_is_told(run, end, status, last):
    found, text = run(end)
    assert found == status
    assert text.strip().endswith(last)


def test_without_room_for_a_socket_there_is_no_server(tmp_path):
    deep = tmp_path / ("a" * 100)
    deep.mkdir()
    asked = subprocess.run(
        [sys.executable, "-c", "from pipeline.repro import forks; print(forks.server())"], cwd=ROOT, text=True,
        env={**os.environ, "TMPDIR": str(deep)}, capture_output=True, check=True,
    )  # fmt: skip
    assert asked.stdout == "None\n"


def test_it_runs_the_module_that_lies_there_now(run):
    assert run("print('before')")[1].endswith("before\n")
    assert run("print('after')")[1].endswith("after\n")


@pytest.mark.parametrize("gone", ["worker", "server"])
def test_the_stage_notices_that_its_worker_or_its_server_is_gone(tmp_path, gone):
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/__init__.py").write_text("")
    (tmp_path / "stages/orphan.py").write_text(ORPHAN)
    (tmp_path / "worker.py").write_text(WORKER)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": "orphan"}
    worker = subprocess.Popen([sys.executable, "worker.py"], cwd=tmp_path, env=environment)
    _wait(tmp_path / "began")
    assert (tmp_path / "began").read_text() == "False"
    if gone == "worker":
        worker.kill()
    else:
        os.kill(int((tmp_path / "parent").read_text()), signal.SIGKILL)
    worker.wait()
    _wait(tmp_path / "ended")
    assert (tmp_path / "ended").read_text() == "True"


def _wait(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline, f"no {file.name} after a minute"
        time.sleep(0.02)
