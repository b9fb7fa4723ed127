"""Rules of claims C80 to C82 and C87: the small autoencoder of report 004, and its GAN beside it."""

from collections.abc import Mapping

from pipeline.report.claims import Finding, finding

NEAR = 2.0  # how many times the last epoch's error the first epoch's may be and still be reasonable
CLUSTERED = 0.9  # accuracy of nearest neighbours, nine times that of chance
OWN, RUN = "cross_entropy_standardised", "mlp_standardised"  # the loss that report 004 trains, and the run with it


def early(first: float, last: float) -> Finding:
    """Test C80 on the squared error per pixel after the first epoch and after the last one."""
    return finding(first <= NEAR * last)


def negative(losses: Mapping[str, float]) -> Finding | None:
    """Test C81 on the last training loss by likelihood, minus its constant where it has one."""
    others = [loss for name, loss in losses.items() if name != OWN]
    return finding(losses[OWN] < 0 and all(loss >= 0 for loss in others)) if others and OWN in losses else None


def clusters(latent: Mapping[str, float], tsne: Mapping[str, float]) -> Finding:
    """Test C82 on `knn_accuracy` of the classes in the latent space and on its t-SNE map."""
    return finding(min(latent["knn_accuracy"], tsne["knn_accuracy"]) >= CLUSTERED)


def models(distance: Mapping[str, float], score: Mapping[str, float]) -> Finding:
    """Test C87 on Fréchet distance and Inception Score of samples by one evaluator, of the GAN and of autoencoders."""
    return finding(distance["GAN"] < distance[RUN] and score["GAN"] > score[RUN])
