"""Score the SimSiam networks of one run: `python -m stages.score_simsiam plan/score_simsiam/<run>.yaml`."""

from pipeline.runtime.device import prepare
from pipeline.simsiam.score import score
from pipeline.simsiam.settings import Scoring
from stages.job import Job, run


def main(job: Job) -> None:
    score(job.input("data"), job.input("model"), job.output, job.settings(Scoring), job.context(prepare()))


if __name__ == "__main__":
    run(main)
