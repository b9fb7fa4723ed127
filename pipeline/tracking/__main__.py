"""Records of what was run: `python -m pipeline.tracking sync` brings MLflow level with the finished stages."""

import argparse
import sys

from pipeline.tracking import provenance
from pipeline.tracking.sync import sync


def main() -> int:
    """Read the command line, do what it says and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.tracking", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("sync", help="record every finished stage that the store does not hold yet")
    command.add_argument(
        "--all", action="store_true", help="compare every record with the store, and add its files again"
    )
    commands.add_parser(
        "provenance", help=f"write {provenance.FILE}: hardware, git revision, time and memory of each stage"
    )
    arguments = parser.parse_args()
    if arguments.command == "provenance":
        print(f"tracking: {provenance.write()} written")
        return 0
    summary = sync(everything=arguments.all)
    print(summary, file=sys.stderr if summary.failure else sys.stdout)
    return 1 if summary.failure else 0


if __name__ == "__main__":
    sys.exit(main())
