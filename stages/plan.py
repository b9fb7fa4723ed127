"""Check params.yaml, write the plan file of every stage and run, and list what each stage imports."""

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
