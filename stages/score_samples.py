"""Score the images of one run's autoencoders: `python -m stages.score_samples plan/score_samples/<run>.yaml`."""

from pipeline.runtime.device import prepare
from pipeline.vae.samples import score
from pipeline.vae.settings import SampleScoring
from stages.job import Job, run


def main(job: Job) -> None:
    data, model, features = map(job.input, ("data", "model", "features"))
    score(data, model, features, job.output, job.settings(SampleScoring), job.context(prepare()))


if __name__ == "__main__":
    run(main)
