"""Draw the Dirac games, an animation among the pictures: `python -m stages.animate plan/animate/animate.yaml`."""

from pipeline.report.drawings import draw
from stages.job import Job, run


def main(job: Job) -> None:
    draw(job.input("games"), job.output, **job.plan.settings)


if __name__ == "__main__":
    run(main)
