"""Plot the Dirac games, and animate them: `python -m stages.animate plan/animate/animate.yaml`."""

from pipeline.report.dirac.figures import plot
from stages.job import Job, run


def main(job: Job) -> None:
    plot(job.input("games"), job.output, **job.plan.settings)


if __name__ == "__main__":
    run(main)
