"""A small DVC project of five stages that sleep, in which the runner is at home."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nvidia
import pytest
import yaml
from checkout import params as default
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
STAGE = """
import sys, time
from pathlib import Path
name, seconds, output, *inputs = sys.argv[1:]
text = name + "".join(Path(file).read_text() for file in inputs)
start = time.time()
with open("times", "a") as times:
    times.write(f"{name} start {start}\\n")
if Path("fail").exists() and name == Path("fail").read_text():
    sys.exit("this stage was told to fail")
while time.time() < start + float(seconds):
    time.sleep(0.02)
Path(output).write_text(text)
if name == "report@":
    Path("summary.json").write_text(f'{{"length": {len(text)}}}')
with open("times", "a") as times:
    times.write(f"{name} end {time.time()}\\n")
"""
RUNS = ["a", "b"]


class Project:
    """Stages `make@a`, `make@b`, each followed by `score@a` ..., then `report`."""

    def __init__(self, folder: Path, seconds: float = 0.8) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "stage.py").write_text(STAGE)
        (folder / "stages").mkdir()
        (folder / "stages/__init__.py").write_text("")
        (folder / "stages/work.py").write_text(STAGE)
        (folder / "summary.json").write_text("{}")  # of an earlier run; git has it
        self.yaml(seconds)
        params = default()
        for section in params.values():
            if "runs" in section:
                section["runs"] = {}
        YAML().dump(params, folder / "params.yaml")
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        self.do("dvc", "init", "-q")

    def yaml(self, seconds: float, forked: bool = False) -> None:
        """Write dvc.yaml, with stages that are forked or such as only a shell runs."""
        python = "python -m stages.work" if forked else "python stage.py"

        def stage(name: str, key: str, inputs: list[str]) -> dict:
            output = f"{name}{key}.txt"
            command = f"{python} {name}@{key} {seconds} {output} {' '.join(inputs)}".rstrip()
            return {"cmd": command, "deps": [*inputs, "stage.py"], "outs": [output]}

        runs = dict.fromkeys(RUNS)
        scores = [f"score-{run}.txt" for run in RUNS]
        stages = {
            "make": {"foreach": runs, "do": stage("make", "-${key}", [])},
            "score": {"foreach": runs, "do": stage("score", "-${key}", ["make-${key}.txt"])},
            "report": {**stage("report", "", scores), "metrics": [{"summary.json": {"cache": False}}]},
        }
        (self.folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))

    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "DVC_ROOT": str(self.folder)}

    def do(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or not check, f"{command} failed:\n{done.stdout}{done.stderr}"
        return done

    def runner(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pipeline.repro", *arguments]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.runner(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def lock(self) -> dict:
        return yaml.safe_load((self.folder / "dvc.lock").read_text())

    def times(self) -> dict[tuple[str, str], float]:
        """Return when each stage last started and ended."""
        lines = (line.split() for line in (self.folder / "times").read_text().splitlines())
        return {(name.removesuffix("@"), what): float(when) for name, what, when in lines}

    def wait_for(self, line: str) -> None:
        deadline = time.monotonic() + 120
        times = self.folder / "times"
        while not (times.exists() and line in times.read_text()):
            assert time.monotonic() < deadline, f"no {line!r} after two minutes"
            time.sleep(0.02)

    def processes(self) -> dict[int, str]:
        """Return the processes that run in this project, by id."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if (entry / "cwd").readlink() == self.folder:
                        found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue
        return found

    def stages(self) -> list[int]:
        """Return the processes of stages, by id."""
        found = []
        for process, command in self.processes().items():
            name = Path(f"/proc/{process}/comm").read_text() if Path(f"/proc/{process}").exists() else ""
            if command.startswith("python stage.py") or name.startswith("stages."):
                found.append(process)
        return found

    def quiet(self, seconds: float) -> bool:
        """Return whether no process is left after at most `seconds`."""
        deadline = time.monotonic() + seconds
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        return not self.processes()


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Let what tests start hear Ctrl-C, also where a shell has started the tests in the background, deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path / "project")
    yield made
    for process in made.processes():
        os.kill(process, signal.SIGKILL)


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give this machine NVIDIA GPUs."""
    return lambda *names: nvidia.install(tmp_path, monkeypatch, *names)


@pytest.fixture(scope="session")
def serial(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The dvc.lock of a plain `dvc repro`, with the project's own commands."""
    made = Project(tmp_path_factory.mktemp("serial") / "project")
    made.do("dvc", "repro")
    return made.lock()
