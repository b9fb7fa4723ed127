"""Copy what a checkout has measured into a folder that git keeps: `python -m tools.publish CHECKOUT reports/overnight`.

Of every finished stage its plan file, metrics and histories; no weights, images or data. A stage is finished if its
output is there and `dvc.lock`, if there is one, does not ascribe it to another plan. Works while the pipeline runs
there: what is finished later is copied by the next call. With `--report`, the rendered report goes along, its figures
and the record of the machine. Git keeps every version of a picture: sheets of many images become WebP files of a
quarter of their size, with a loss that is hard to see.
"""

import argparse
import shutil
from pathlib import Path

from PIL import Image

from pipeline.report.origin import outdated
from pipeline.runtime.plan import Plan, read_all

KEPT = (".json", ".csv")
REPORT = ("report.md", "summary.json", "provenance.md", "figures/**/*", "curves/*")
LARGE = 200_000  # bytes of a PNG file from which on it becomes WebP: sheets of photographs, no charts
QUALITY = 60  # of WebP, of 100


def main() -> None:
    """Read the command line and copy."""
    parser = argparse.ArgumentParser(prog="python -m tools.publish", description=__doc__)
    parser.add_argument("checkout", type=Path, help="root of the checkout that ran the pipeline")
    parser.add_argument("to", type=Path, help="folder to write; what lies in it is replaced")
    parser.add_argument("--report", action="store_true", help="copy the rendered report as well")
    arguments = parser.parse_args()
    done, plans = publish(arguments.checkout, arguments.to, report=arguments.report)
    print(f"{arguments.to}: {done} of {plans} stages")


def publish(checkout: Path, to: Path, report: bool = False) -> tuple[int, int]:
    """Write the folder `to`, and return how many stages are finished and how many there are.

    Args:
        checkout: Root of the checkout that ran the pipeline.
        to: Folder to write; what lies in it is replaced.
        report: Whether the rendered report is copied as well.
    """
    plans = [plan for plan in read_all(checkout) if plan.output]
    done = finished(checkout, plans)
    shutil.rmtree(to, ignore_errors=True)
    names = [Path("params.yaml"), *(plan.path for plan in done)]
    for folder in (plan.output for plan in done):
        names += [file.relative_to(checkout) for file in (checkout / folder).rglob("*") if file.suffix in KEPT]
    for name in names:
        _copy(checkout / name, to / name)
    for pattern in REPORT if report else ():
        for file in filter(Path.is_file, (checkout / "reports").glob(pattern)):
            _copy(file, to / file.relative_to(checkout / "reports"))
    if report:
        _adapt(to)
    return len(done), len(plans)


def finished(checkout: Path, plans: list[Plan]) -> list[Plan]:
    """Return the plans whose output is there, made from the plan file as it is now."""
    old = outdated(checkout, plans)
    return [plan for plan in plans if plan.output not in old and (checkout / plan.output).exists()]


def _adapt(to: Path) -> None:
    """Make large pictures smaller, and let the links of the report lead to what lies beside it now."""
    page = to / "report.md"
    text = page.read_text(encoding="utf-8").replace("](../", "](")
    for file in to.glob("figures/*/*/*.png"):  # of a run; charts of a family keep their sharp lines
        if file.stat().st_size > LARGE:
            smaller = file.with_suffix(".webp")
            with Image.open(file) as picture:
                picture.convert("RGB").save(smaller, quality=QUALITY, method=4)
            text = text.replace(f"]({file.relative_to(to).as_posix()})", f"]({smaller.relative_to(to).as_posix()})")
            file.unlink()
    page.write_text(text, encoding="utf-8")


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)


if __name__ == "__main__":
    main()
