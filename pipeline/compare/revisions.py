"""What was computed in one state of the repository: the workspace, a commit, or an experiment of DVC.

`dvc.lock` says for each stage with which inputs it last ran, and DVC has the files in its cache: nothing is checked
out.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import PurePosixPath
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.errors import UserError
from pipeline.runtime.files import parsed
from pipeline.runtime.plan import FOLDER, Plan
from pipeline.runtime.sources import FOLDER as SOURCES

WORKSPACE = "workspace"
LOCK = "dvc.lock"


class Files(Protocol):
    """The files of one state of the repository."""

    def read_bytes(self, path: str) -> bytes: ...


class Revision:
    """The finished stages of one state of the repository.

    Args:
        name: Name of an experiment, a branch, a tag or a commit, or `workspace`.
        files: Its files, those that DVC keeps included.

    Raises:
        UserError: If it has no `dvc.lock`.
    """

    def __init__(self, name: str, files: Files) -> None:
        self.name, self._files = name, files
        lock = self.read(LOCK)
        if lock is None:
            raise UserError(f"{name}: has no {LOCK}, so nothing has run there.")
        stages = parsed(lock)["stages"]
        self._inputs = {stage: _checksums(entry, "deps") for stage, entry in stages.items()}
        self._outputs = {stage: _checksums(entry, "outs") for stage, entry in stages.items()}
        self._writers = {path: stage for stage, outputs in self._outputs.items() for path in outputs}
        self.stale = cache(self._stale)

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, `None` where neither git nor the cache of DVC has it."""
        from dvc.exceptions import DvcException
        from dvc_data.index import DataIndexDirError

        try:
            return self._files.read_bytes(path)
        except (OSError, DvcException, DataIndexDirError):
            return None

    @cached_property
    def plans(self) -> dict[str, Plan]:
        """The plan of each stage that has run, by its address; without runs that are no longer planned.

        Raises:
            UserError: If none of them can be read.
        """
        found = {}
        for stage, inputs in self._inputs.items():
            for path in inputs:
                if PurePosixPath(path).is_relative_to(FOLDER) and (content := self.read(path)) is not None:
                    found[stage] = Plan(**parsed(content))
        if not found:
            raise UserError(f"{self.name}: its outputs are not in DVC's cache; `dvc fetch --all-commits` fetches them.")
        return found

    def output(self, stage: str) -> str:
        """Return the checksum of what a stage has written."""
        return next(iter(self._outputs[stage].values()), "")

    def _stale(self, stage: str) -> str:
        """Return why the outputs of a stage do not belong to the rest of this revision; nothing if they do.

        They do where every input that the stage was last run with is the one that this revision holds, and what wrote
        that input is not stale itself.
        """
        for path, checksum in self._inputs[stage].items():
            writer = self._writers.get(path)
            if writer is not None:
                if self._outputs[writer][path] != checksum:
                    return f"{stage} was last run before {path} was rewritten"
                if why := self.stale(writer):
                    return why
            elif PurePosixPath(path).parts[0] in (str(FOLDER), str(SOURCES)):
                content = self.read(path)
                if content is None or hashlib.md5(content).hexdigest() != checksum:
                    return f"{stage} was last run before {path} changed"
        return ""

    def metrics(self, plan: Plan) -> dict[str, Any] | None:
        """Return `metrics.json` of a stage, `None` if it writes none or it is not there."""
        content = self.read(f"{plan.output}/metrics.json")
        return json.loads(content) if content is not None else None

    def array(self, plan: Plan, name: str) -> NDArray[Any] | None:
        """Return `<name>.npy` of a stage, `None` if it writes none or it is not there."""
        content = self.read(f"{plan.output}/{name}.npy")
        return np.load(io.BytesIO(content), allow_pickle=False) if content is not None else None

    def sources(self, plan: Plan) -> dict[str, str]:
        """Return the checksums of the modules and the versions of the packages that a stage ran with."""
        listed = parsed(self.read(str(SOURCES / f"{plan.stage}.yaml")) or b"{}")
        return {name: version for part in listed.values() for name, version in part.items()}


def _checksums(entry: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {each["path"]: each.get("md5", "") for each in entry.get(kind, [])}


def read(names: Sequence[str]) -> list[Revision]:
    """Return revisions by their names; without any, the workspace and all experiments that start from its commit.

    Raises:
        UserError: If there is no such experiment, branch, tag or commit.
    """
    from dvc.api import DVCFileSystem
    from dvc.repo import Repo
    from dvc.scm import RevError, resolve_rev

    found = []
    with Repo() as repo:
        for name in names or [WORKSPACE, *_experiments(repo)]:
            if name == WORKSPACE:
                found.append(Revision(name, DVCFileSystem(repo.root_dir)))
                continue
            try:
                commit = resolve_rev(repo.scm, name)
            except RevError:
                raise UserError(
                    f"{name}: no such experiment, branch, tag or commit; `dvc exp list -A` lists experiments."
                ) from None
            found.append(Revision(name, DVCFileSystem(repo.root_dir, rev=commit)))
    if not names:  # `dvc exp run` leaves its experiment in the workspace
        applied = {lock for each in found[1:] if (lock := each.read(LOCK))}
        found = found[found[0].read(LOCK) in applied :]
    return found


def _experiments(repo: Any) -> list[str]:
    return [name for found in repo.experiments.ls().values() for name, _ in found]
