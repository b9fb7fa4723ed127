"""Play all Dirac games: `python -m stages.dirac plan/dirac/dirac.yaml`."""

from pipeline.dirac.games import play_and_measure
from pipeline.dirac.settings import Games
from stages.job import Job, run


def main(job: Job) -> None:
    play_and_measure(job.output, job.settings(Games))


if __name__ == "__main__":
    run(main)
