"""Score the planar flows of one depth: `python -m stages.score_flow plan/score_flow/<run>.yaml`."""

from pipeline.flow.score import score
from pipeline.flow.settings import Scoring
from pipeline.runtime.device import prepare
from stages.job import Job, run


def main(job: Job) -> None:
    prepare(cpu=True)
    score(job.input("model"), job.output, job.settings(Scoring))


if __name__ == "__main__":
    run(main)
