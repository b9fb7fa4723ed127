"""Score the SimSiam networks of one run: `python -m stages.score_simsiam plan/score_simsiam/<run>.yaml`."""

from pipeline.runtime.device import prepare
from pipeline.simsiam.score import score
from stages.job import Job, run


def main(job: Job) -> None:
    score(job.input("data"), job.input("model"), job.output, device=prepare(), scratch=job.scratch, **job.plan.settings)


if __name__ == "__main__":
    run(main)
