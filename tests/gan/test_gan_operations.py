"""Counted operations of a critic step, against counts by hand."""

from dataclasses import replace

from pipeline.gan.operations import critic_step
from pipeline.gan.settings import Network, Objective

OBJECTIVE = Objective("jsd", "none", 1.0, 1, "usual", "image")
WIDTH, LATENT, BATCH = 8, 4, 6
PIXELS = 3 * 32 * 32
MLP = Network("mlp", WIDTH, LATENT, spectral_norm=False)
LAYER, HEAD = 2 * BATCH * PIXELS * WIDTH, 2 * BATCH * WIDTH  # multiplications and additions of the critic's two layers
FAKES = 2 * BATCH * (LATENT * WIDTH + WIDTH * PIXELS)


def test_a_plain_step_is_two_passes_forward_and_two_back() -> None:
    # back: the weights' gradients of both layers, and the gradient in the hidden units; none in the images
    assert critic_step(MLP, OBJECTIVE, BATCH) == FAKES + 2 * (LAYER + HEAD) + 2 * (LAYER + 2 * HEAD)


def test_a_penalty_adds_the_gradient_in_the_images_and_its_own_gradients() -> None:
    plain = critic_step(MLP, OBJECTIVE, BATCH)
    on_real = critic_step(MLP, replace(OBJECTIVE, penalty="r1"), BATCH) - plain
    # g = W1^T (mask * w2): a pass back through both layers, whose two factors each get a gradient
    assert on_real >= LAYER + HEAD + 2 * LAYER
    # interpolated points need a forward pass and its gradients besides
    between = critic_step(MLP, replace(OBJECTIVE, penalty="gp"), BATCH) - plain
    assert between > on_real + LAYER


def test_spectral_normalisation_adds_matrix_vector_products_that_do_not_grow_with_the_batch() -> None:
    extra = [
        critic_step(replace(MLP, spectral_norm=True), OBJECTIVE, batch) - critic_step(MLP, OBJECTIVE, batch)
        for batch in (BATCH, 2 * BATCH)
    ]
    assert extra[0] == extra[1]
    assert extra[0] >= 2 * 2 * 2 * (PIXELS * WIDTH + WIDTH)  # two products per layer and forward pass


def test_r1_makes_a_step_of_wide_networks_less_than_twice_as_long() -> None:
    residual = Network("residual", 128, 100, spectral_norm=False)
    none, r1 = (critic_step(residual, replace(OBJECTIVE, penalty=penalty), 64) for penalty in ("none", "r1"))
    assert 1.2 < r1 / none < 2
