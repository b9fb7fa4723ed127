"""Plan files: what one stage of one run reads and writes, and its settings."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipeline.runtime import files
from pipeline.runtime.errors import UserError

FOLDER = Path("plan")


@dataclass(frozen=True)
class Plan:
    """One stage of one run, resolved: all that it depends on, stored as `plan/<stage>/<run>.yaml`.

    Args:
        stage: Name of the script under `stages/` that runs it, such as `train_vae`.
        run: Name of the run that it belongs to, such as `bernoulli`.
        inputs: Folders that the stage reads, by name, relative to the root of the checkout.
        output: Folder that the stage writes.
        settings: Its settings as nested plain values, see `pipeline.runtime.settings`.
    """

    stage: str
    run: str
    inputs: dict[str, str] = field(default_factory=dict)
    output: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return FOLDER / self.stage / f"{self.run}.yaml"

    @property
    def address(self) -> str:
        """The stage's name in DVC, `train_vae@bernoulli`; `dirac` for a stage whose one run is named like it."""
        return self.stage if self.run == self.stage else f"{self.stage}@{self.run}"

    def text(self) -> str:
        return yaml.safe_dump(asdict(self), sort_keys=False, allow_unicode=True, width=120)

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """Read one plan file.

        Raises:
            UserError: If there is no such file.
        """
        if not path.is_file():
            raise UserError(f"{path}: no such plan file; `dvc repro plan` writes one per stage and run of params.yaml.")
        return cls(**files.parsed(path.read_text()))


def read_all(root: Path = Path()) -> list[Plan]:
    """Return every plan under `root`, in the order of their paths."""
    return [Plan.read(path) for path in sorted((root / FOLDER).glob("*/*.yaml"))]
