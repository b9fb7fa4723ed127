"""Draw the animation of the Dirac games: `python -m stages.animate plan/animate/animate.yaml`."""

from pipeline.report.animation import animate
from stages.job import Job, run


def main(job: Job) -> None:
    animate(job.input("games"), job.output, **job.plan.settings)


if __name__ == "__main__":
    run(main)
