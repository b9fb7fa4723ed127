"""Rules of claims C80 to C82, C86 and C87: the small autoencoder of report 004, and its GAN beside it."""

from collections.abc import Mapping, Sequence

from scipy.special import ndtri

from pipeline.metrics.intervals import share
from pipeline.report.claims import CONFIDENCE, Finding, finding, lacking

NEAR = 2.0  # how many times the last epoch's error the first epoch's may be and still be reasonable
CLUSTERED = 0.9  # accuracy of nearest neighbours, nine times that of chance
STRIDE = 0.3  # share of a path in one of its ten steps, three times an even one
SOME = 0.1  # share of the paths between two digits that counts as "some"
FEWEST_PATHS = 20  # of ten, a share of one tenth would have bounds from 0.5 % to 39 %
RUN = "mlp_standardised"  # the run with the loss that report 004 trains


def early(first: float, last: float) -> Finding:
    """Test C80 on the squared error per pixel after the first epoch and after the last one."""
    return finding(NEAR - first / last)


def negative(curves: Mapping[str, Sequence[float]]) -> Finding | None:
    """Test C81 on the training losses by run, minus their constants where they have one.

    Those of the other runs, on the same data, are shown only: they cannot be negative.
    """
    losses = {run: curve[-1] for run, curve in curves.items()}
    return finding(-losses[RUN], losses=losses) if RUN in losses else None


def clusters(latent: Mapping[str, float], tsne: Mapping[str, float]) -> Finding:
    """Test C82 on `knn_accuracy` of the classes in the latent space and on its t-SNE map."""
    return finding((latent["knn_accuracy"] - CLUSTERED, tsne["knn_accuracy"] - CLUSTERED))


def between(paths: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Finding | None:
    """Test C86 on paths along straight lines and on the sphere, by model, see `pipeline.metrics.paths.measure`.

    The parts are the steps and what lies between 7 and 9. A margin is taken at the bound over paths, so that it holds
    for more of them than were measured.
    """
    arcs, lines = ({model: ways[way] for model, ways in paths.items()} for way in ("spherical", "linear"))
    if any("pairs" not in at for at in arcs.values()):
        return None
    if (fewest := min(at["pairs"] for at in arcs.values())) < FEWEST_PATHS:
        return lacking(f"{fewest:.0f} samples of each of 7 and 9, {FEWEST_PATHS} needed")
    bound = float(ndtri((1 + CONFIDENCE) / 2))
    return finding(
        tuple(STRIDE - at["stride"] - bound * at["stride_error"] for at in arcs.values()),
        tuple(share(int(at["between"]), int(at["pairs"]), CONFIDENCE)[0] - SOME for at in arcs.values()),
        strides={model: at["stride"] for model, at in arcs.items()},
        pairs={model: at["pairs"] for model, at in arcs.items()},
        shares={model: at["between"] / at["pairs"] for model, at in arcs.items()},
        straight={model: at["between"] / at["pairs"] for model, at in lines.items()},
        rises={model: at["rise"] for model, at in arcs.items()},
        rises_straight={model: at["rise"] for model, at in lines.items()},
    )


def models(scores: Mapping[str, Mapping[str, float]], images: Mapping[str, int]) -> Finding:
    """Answer C87 on scores of samples by one evaluator and on their numbers, of the GAN and of autoencoders, by run."""
    distance, score = ({run: at[key] for run, at in scores.items()} for key in ("frechet_distance", "inception_score"))
    return finding(distance[RUN] - distance["GAN"], score["GAN"] - score[RUN], distance=distance, score=score)
