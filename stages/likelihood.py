"""Score the autoencoders of one run on the test images: `python -m stages.likelihood plan/likelihood/<run>.yaml`."""

from pipeline.runtime.device import prepare
from pipeline.vae.likelihood import score
from pipeline.vae.settings import Scoring
from stages.job import Job, run


def main(job: Job) -> None:
    score(job.input("data"), job.input("model"), job.output, job.settings(Scoring), job.context(prepare()))


if __name__ == "__main__":
    run(main)
