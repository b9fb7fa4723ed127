"""The best stored generator of each seed, kept beside the scores with a file that says how it was chosen."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.gan.model import TrainedGan
from pipeline.gan.settings import Scoring

FOLDER, CHOSEN = "best", "chosen.json"


def keep(model: Path, trained: TrainedGan, output: Path, seeds: Mapping[str, Any], settings: Scoring) -> None:
    """Copy the chosen generators to `best/` in `output`, under their names, with `network.json` and `chosen.json`.

    Of several generators, the one that scored best was also the luckiest: on the samples that it was chosen by, its
    distance is too small. It is therefore measured again on other samples.

    Args:
        model: Folder of the trained networks.
        trained: What they are.
        output: Folder of the scores.
        seeds: What was measured of each seed, see `pipeline.gan.score.Scorer.snapshots` and `best`.
        settings: How many images each score is of.
    """
    folder = output / FOLDER
    folder.mkdir()
    shutil.copyfile(model / "network.json", folder / "network.json")
    chosen = {}
    for seed, measured in seeds.items():
        step = measured["best_step"]
        file = f"{trained.stored(int(seed), step)}.safetensors"
        shutil.copyfile(model / file, folder / file)
        chosen[seed] = {
            "step": step,
            "file": file,
            "distance_when_chosen": measured["snapshots"][str(step)]["frechet_distance"],
            "distance_on_as_many_other_samples": measured["best"]["distance_again"],
            "distance_on_all_other_samples": measured["best"]["frechet_distance"],
        }
    words = {
        "chosen": f"the stored generator with the smallest Fréchet distance after {_steps(trained)} steps",
        "chosen_on": f"{settings.samples} samples of each generator",
        "scored_on": f"{settings.final_samples} samples from other latents; both are held against the same reference"
        " images, so that the score remains a little optimistic",
    }
    (folder / CHOSEN).write_text(json.dumps({**words, "seeds": chosen}, indent=2) + "\n")


def _steps(trained: TrainedGan) -> str:
    *first, last = map(str, trained.snapshots)
    return f"{', '.join(first)} or {last}" if first else last
