"""Contents of params.yaml for tests, and a copy of this repository with small runs, in which a test may do anything."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.config import layout
from pipeline.config import profile as profiles

ROOT = Path(__file__).parents[1]
VAE = {"epochs": 1, "hidden": 8, "latent": 4, "seeds": [0], "importance_samples": [1, 10]}
RUNS = {"a": {"data": "binarized_digits28"}, "b": {"data": "binarized_digits28", "kl": "monte_carlo"}}


def params(profile: str = "default") -> dict[str, Any]:
    """Return a profile as the content of params.yaml; what the file in the working tree holds is the user's affair."""
    return profiles.load(profile)


class Checkout:
    """A git repository under `folder` with the project's files and two small autoencoder runs, `a` and `b`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file() and not name.startswith(("reports/", "dvc.lock")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        content = params()
        content["data"] = {"binarized_digits28": {"source": "binarized_digits28"}}
        for section in content.values():
            if "runs" in section:
                section["runs"] = {}
        content["dirac"].update(steps=1000, frames=2)
        content["vae"].update(VAE, runs=RUNS)
        (folder / "params.yaml").write_text(layout.text(content))
        self.git("init", "-q")
        # also for DVC, whose experiments are commits
        self.git("config", "user.name", "test")
        self.git("config", "user.email", "test@example.org")
        self.commit("first")

    def params(self) -> "_Params":
        """Return a context that yields params.yaml to change, and writes it back."""
        return _Params(self.folder / "params.yaml")

    def run(self, *command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside the copy."""
        environment = self.environment(**variables)
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, f"{command} failed:\n{done.stdout}{done.stderr}"
        return done

    def environment(self, **variables: str) -> dict[str, str]:
        """Return this process's variables without those that matter here, and this interpreter first on the path."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        unset = ("DVC_ROOT", "DVC_STAGE", "DATA_MIRROR", "MLFLOW_TRACKING_URI", "PIPELINE_THREADS")
        kept = {key: value for key, value in os.environ.items() if key not in unset}
        return kept | {"PATH": path, "PIPELINE_TRACKING": "off", **variables}

    def repro(self, *arguments: str, **variables: str) -> set[str]:
        """Run `dvc repro` and return the stages it ran."""
        return ran(self.run("dvc", "repro", *arguments, check=True, **variables).stdout)

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)


def ran(output: str) -> set[str]:
    """Return the stages that `dvc repro` or `dvc exp run` says it has run."""
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}


class _Params:
    def __init__(self, path: Path) -> None:
        self.path, self.yaml = path, YAML()

    def __enter__(self) -> Any:
        self.content = self.yaml.load(self.path)
        return self.content

    def __exit__(self, *_: object) -> None:
        self.yaml.dump(self.content, self.path)
