"""Check params.yaml, write the plan file of every stage and run, and list what each stage imports."""

from pathlib import Path

from pipeline.config.params import expand, read, write
from pipeline.runtime.errors import told


def main() -> None:
    with told(prefix=""):
        write(expand(read(Path("params.yaml"))))


if __name__ == "__main__":
    main()
