"""Rules of claims C80 to C82 and C87: the small autoencoder of report 004, and its GAN beside it."""

from collections.abc import Mapping, Sequence

from pipeline.report.claims import Finding, finding

NEAR = 2.0  # how many times the last epoch's error the first epoch's may be and still be reasonable
CLUSTERED = 0.9  # accuracy of nearest neighbours, nine times that of chance
OWN, RUN = "cross_entropy_standardised", "mlp_standardised"  # the loss that report 004 trains, and the run with it


def early(first: float, last: float) -> Finding:
    """Test C80 on the squared error per pixel after the first epoch and after the last one."""
    return finding(first <= NEAR * last)


def negative(curves: Mapping[str, Sequence[float]]) -> Finding | None:
    """Test C81 on the last training losses by likelihood, minus their constants where they have one."""
    losses = {name: curve[-1] for name, curve in curves.items()}
    if OWN not in losses or len(losses) == 1:
        return None
    held = all(loss < 0 if name == OWN else loss >= 0 for name, loss in losses.items())
    return finding(held, losses=losses)


def clusters(latent: Mapping[str, float], tsne: Mapping[str, float]) -> Finding:
    """Test C82 on `knn_accuracy` of the classes in the latent space and on its t-SNE map."""
    return finding(min(latent["knn_accuracy"], tsne["knn_accuracy"]) >= CLUSTERED)


def models(scores: Mapping[str, Mapping[str, float]]) -> Finding:
    """Test C87 on scores of samples by one evaluator, of the GAN and of autoencoders, by run."""
    distance, score = ({run: at[key] for run, at in scores.items()} for key in ("frechet_distance", "inception_score"))
    return finding(distance["GAN"] < distance[RUN] and score["GAN"] > score[RUN], distance=distance, score=score)
