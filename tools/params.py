"""Random contents of params.yaml that can be planned, each run up to the report: `python -m tools.params`.

All are tiny. A stage may refuse to run with a sentence; a traceback, a number that is not finite in an output, or a
report that cannot be rendered is a fault, and its params.yaml is kept.
"""

import argparse
import contextlib
import shutil
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.allowed import Params, allowed, run_all


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to work in; faults are kept there")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=86_400.0, help="after which no further one is begun")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    campaign = Campaign(options.folder.resolve(), time.monotonic() + options.seconds)
    campaign.run(options.count, options.seed)
    sys.exit(campaign.told())


class Campaign:
    """Counts what comes of each params.yaml.

    Args:
        folder: Folder to work in.
        end: Time after which no further one is begun.
    """

    def __init__(self, folder: Path, end: float) -> None:
        self.folder, self.end = folder, end
        self.done = self.whole = 0
        self.stages: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, count: int, number: int) -> None:
        """Draw and run so many."""

        @settings(
            max_examples=count, deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @seed(number)
        @given(st.data())
        def draw_and_try(drawn: st.DataObject) -> None:
            if time.monotonic() > self.end:
                raise KeyboardInterrupt  # as by Ctrl-C: what was counted until then is told
            self.attempt(drawn.draw(allowed(self.folder)))

        with contextlib.suppress(KeyboardInterrupt):
            draw_and_try()

    def attempt(self, content: Params) -> None:
        """Run one, and take note."""
        root = self.folder / "root"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        try:
            outcome = run_all(content, root)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            fault = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {str(error)[:150]}"
            self.faults[fault] += 1
            name = self.folder / f"fault_{self.done}"
            name.with_suffix(".yaml").write_text(yaml.safe_dump(content, sort_keys=False))
            name.with_suffix(".txt").write_text(traceback.format_exc())
            print(fault, file=sys.stderr, flush=True)
        else:
            self.whole += not outcome.refused
            self.stages.update(address.partition("@")[0] for address in outcome.ran)
            for address, sentence in outcome.refused.items():
                self.refusals[f"{address.partition('@')[0]}: {' '.join(sentence.split()[:14])}"] += 1
        self.done += 1
        if self.done % 10 == 0:
            print(f"{self.done} done, {self.whole} without a refusal, {sum(self.faults.values())} faults", flush=True)

    def told(self) -> int:
        """Print what was counted, and return the exit status."""
        print(f"\n{self.done} contents of params.yaml, {self.whole} of them without a refusal")
        for title, counted in (("stages run", self.stages), ("refusals", self.refusals), ("faults", self.faults)):
            print(f"\n{title}: {sum(counted.values())}")
            for what, number in counted.most_common():
                print(f"{number:5}  {what}")
        return int(bool(self.faults))


if __name__ == "__main__":
    main()
