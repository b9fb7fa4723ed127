"""Rules of claims C80 to C82 and C87: the small autoencoder of report 004, and its GAN beside it."""

from collections.abc import Mapping, Sequence

from pipeline.report.claims import Finding, finding

NEAR = 2.0  # how many times the last epoch's error the first epoch's may be and still be reasonable
CLUSTERED = 0.9  # accuracy of nearest neighbours, nine times that of chance
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


def models(scores: Mapping[str, Mapping[str, float]]) -> Finding:
    """Answer C87 on scores of samples by one evaluator, of the GAN and of autoencoders, by run."""
    distance, score = ({run: at[key] for run, at in scores.items()} for key in ("frechet_distance", "inception_score"))
    return finding(distance[RUN] - distance["GAN"], score["GAN"] - score[RUN], distance=distance, score=score)
