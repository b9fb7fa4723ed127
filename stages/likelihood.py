"""Score the autoencoders of one run on the test split: `python -m stages.likelihood plan/likelihood/<run>.yaml`."""

from pipeline.runtime.device import prepare
from pipeline.vae.likelihood import score
from stages.job import Job, run


def main(job: Job) -> None:
    score(job.input("data"), job.input("model"), job.output, device=prepare(), scratch=job.scratch, **job.plan.settings)


if __name__ == "__main__":
    run(main)
