"""Claims C80 to C82 and C87: the small autoencoder of report 004, and its GAN beside it."""

from collections.abc import Mapping

from pipeline.report.claims import Claim, Seeds, each, shared

NEAR = 2.0  # how many times the last epoch's error the first epoch's may be
CLUSTERED = 0.9  # accuracy of nearest neighbours
OWN = "cross_entropy_standardised"  # the loss that report 004 trains


def early(errors: Mapping[str, tuple[float, float]], figure: str = "", limit: str = "") -> Claim:
    """Test C80 on the squared error per pixel after the first epoch and after the last one of each seed."""
    return Claim(
        "C80",
        "004",
        "Reconstructions are reasonable after one epoch.",
        f"the squared error after epoch 1 is at most {NEAR:g} times that after the last",
        f"epoch 1 {each((first for first, _ in errors.values()), 4)},"
        f" last {each((last for _, last in errors.values()), 4)}"
        if errors
        else "",
        [first <= NEAR * last for first, last in errors.values()],
        figure,
        limit,
    )


def negative(losses: Mapping[str, Seeds], figure: str = "") -> Claim:
    """Test C81 on the last training loss by likelihood, less its constant where it has one."""
    own = losses.get(OWN, {})
    others = [at for name, at in losses.items() if name != OWN]
    seeds = shared(own, *others) if others else []
    return Claim(
        "C81",
        "004",
        "The loss of the VAE is negative, for an unknown reason.",
        "it is negative for the cross-entropy of standardised pixels, and for no loss whose targets fit it",
        "on training batches " + "; ".join(f"{name}: {each((at[s] for s in seeds), 1)}" for name, at in losses.items())
        if seeds
        else "",
        [own[s] < 0 and all(at[s] >= 0 for at in others) for s in seeds],
        figure,
    )


def clusters(
    accuracy: Mapping[str, float], silhouette: Mapping[str, float], figure: str = "", limit: str = ""
) -> Claim:
    """Test C82 on kNN accuracy and silhouette of the classes in `code` and in `map`, of the first seed."""
    return Claim(
        "C82",
        "004",
        "t-SNE shows ten clusters that match the digits.",
        f"nearest neighbours tell the digit of at least {CLUSTERED:.0%} of the test images, by code and by map",
        f"code {accuracy['code']:.3f}, map {accuracy['map']:.3f};"
        f" silhouette {silhouette['code']:.2f} and {silhouette['map']:.2f}"
        if accuracy
        else "",
        [min(accuracy["code"], accuracy["map"]) >= CLUSTERED] if accuracy else [],
        figure,
        limit,
    )


def models(
    autoencoders: Mapping[str, Mapping[str, Mapping[str, float]]],
    adversarial: Mapping[str, Mapping[str, float]],
    own: str,
    figure: str = "",
    limit: str = "",
) -> Claim:
    """Test C87 on `frechet_distance` and `inception_score` of samples, by the same feature network.

    Args:
        autoencoders: of every autoencoder, by run and seed.
        adversarial: of the GAN, by seed.
        own: the run that has report 004's own loss.
        figure, limit: see `Claim`.
    """
    vae = autoencoders.get(own, {})
    seeds = shared(vae, adversarial)
    scored = {"GAN": adversarial, **autoencoders}
    return Claim(
        "C87",
        "004",
        "(Asked for, and left out.) Which of the two is better by FID and Inception Score?",
        "counted as confirmed if the GAN is, by both scores",
        "; ".join(f"{name}: {_scores(at)}" for name, at in scored.items() if at) if seeds else "",
        [
            adversarial[s]["frechet_distance"] < vae[s]["frechet_distance"]
            and adversarial[s]["inception_score"] > vae[s]["inception_score"]
            for s in seeds
        ],
        figure,
        limit,
    )


def _scores(at: Mapping[str, Mapping[str, float]]) -> str:
    distances, scores = ([values[key] for values in at.values()] for key in ("frechet_distance", "inception_score"))
    return f"Fréchet distance {each(distances)}, Inception Score {each(scores)}"
