"""Play all Dirac games: `python -m stages.dirac plan/dirac/dirac.yaml`."""

from pipeline.dirac.game import run as play
from stages.job import Job, run


def main(job: Job) -> None:
    play(job.output, **job.plan.settings)


if __name__ == "__main__":
    run(main)
