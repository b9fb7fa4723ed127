"""Score somebody's samples as ours are: `python -m pipeline.score FOLDER --features digits16`.

FOLDER holds pictures; an .npy or .npz file of bytes `(n, h, w)`, `(n, c, h, w)` or `(n, h, w, c)` does as well. Beside
the scores stand those of real images (floor), damaged ones and noise with the same evaluator.
"""

import argparse
import json
from pathlib import Path

from pipeline.runtime.device import prepare
from pipeline.runtime.errors import told
from pipeline.score.samples import score, text

EVALUATORS, REAL = Path("models/features"), Path("scores/real")


def main() -> None:
    """Read the command line, print the scores, and write them where that is asked for."""
    options = _options()
    with told():
        scores = score(
            options.samples, EVALUATORS / options.features, REAL / options.features, prepare(), options.resize
        )
        print(text(scores))
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(scores, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipeline.score", description=__doc__)
    parser.add_argument("samples", type=Path, help="folder of pictures, or .npy or .npz file")
    parser.add_argument("--features", required=True, help="evaluator: a run of the section `features`, digits16")
    parser.add_argument("--resize", action="store_true", help="scale pictures of another size, and say so")
    parser.add_argument("--out", type=Path, help="JSON file to write scores and protocol into")
    return parser.parse_args()


if __name__ == "__main__":
    main()
