"""Check params.yaml, write one plan file per stage and run and the modules of each stage: `python -m stages.plan`."""

import sys
from pathlib import Path

from pipeline.config.params import expand, read, write
from pipeline.runtime.errors import UserError


def main() -> None:
    try:
        write(expand(read(Path("params.yaml"))))
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
