"""Score the generators of one run, with latent studies: `python -m stages.score_gan plan/score_gan/<run>.yaml`."""

from pipeline.gan.score import score
from pipeline.gan.settings import Scoring
from pipeline.runtime.device import prepare
from stages.job import Job, run


def main(job: Job) -> None:
    data, model, features = map(job.input, ("data", "model", "features"))
    score(data, model, features, job.output, job.settings(Scoring), job.context(prepare()))


if __name__ == "__main__":
    run(main)
