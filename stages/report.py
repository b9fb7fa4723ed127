"""Render the report from what the pipeline has measured: `python -m stages.report [--allow-missing] [--out DIR]`."""

import argparse
import os
from pathlib import Path

from pipeline.report.render import render
from pipeline.runtime import sources
from pipeline.runtime.errors import told
from pipeline.tracking.sync import sync


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--allow-missing", action="store_true", help="render what is there, and name what is not")
    parser.add_argument("--out", type=Path, default=Path("reports"), metavar="DIR", help="where to (default: reports)")
    arguments = parser.parse_args()
    with told():
        sources.verify("report")
        render(Path(), arguments.out, allow_missing=arguments.allow_missing)
        sources.verify("report")
        if "DVC_STAGE" in os.environ:  # the last stage of `dvc repro`: the records follow, figures included
            print(sync(figures=arguments.out / "figures"))


if __name__ == "__main__":
    main()
