"""Networks, spectral norm and the running average."""

import pytest
import torch
from torch import nn

from pipeline.gan.average import Average
from pipeline.gan.model import Scale
from pipeline.gan.network import Double, build
from pipeline.gan.penalties import gradients, penalty
from pipeline.gan.settings import Averaging, Network
from pipeline.runtime.errors import UserError

REPORTS = [  # network, width, latent, image, parameters of generator and critic as experiments.md counts them
    ("dcgan", 64, 100, (3, 32, 32), 1_069_379, 662_977),
    ("residual", 128, 100, (3, 32, 32), 6_895_494, 6_079_108),
    ("resnet", 128, 128, (3, 32, 32), 1_204_099, 1_053_825),
    ("mlp", 300, 16, (1, 28, 28), 241_084, 235_801),
]


CONVOLUTIONAL = ["dcgan", "residual", "resnet"]


def small(network, spectral_norm=False, shape=(3, 32, 32)):
    shape = (1, 6, 5) if network == "mlp" else shape
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator, critic = build(Network(network, 4, 8, spectral_norm), shape)
    return generator, critic, shape


def size(net):
    return sum(weight.numel() for weight in net.parameters())


@pytest.mark.parametrize(("network", "width", "latent", "shape", "generator", "critic"), REPORTS)
def test_parameters_of_the_reports(network, width, latent, shape, generator, critic):
    nets = build(Network(network, width, latent, spectral_norm=False), shape)
    assert [size(net) for net in nets] == [generator, critic]


@pytest.mark.parametrize("network", CONVOLUTIONAL)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [16, 32, 64])
def test_images_of_three_sizes_and_two_numbers_of_channels(network, channels, side):
    generator, critic, shape = small(network, spectral_norm=True, shape=(channels, side, side))
    images = generator(torch.randn(2, 8))
    assert images.shape == (2, *shape)
    assert critic(images).shape == (2,)


def test_each_doubling_of_the_image_adds_one_level_to_both_networks():
    latent = 8
    sizes = {side: [size(net) for net in small("dcgan", shape=(3, side, side))[:2]] for side in (16, 32, 64)}
    for side, n in ((32, 8), (64, 16)):  # the smallest map has 2n channels instead of n
        generator, critic = (more - less for more, less in zip(sizes[side], sizes[side // 2], strict=True))
        assert generator == 16 * latent * n + n + 2 * (2 * n) + 16 * 2 * n * n + n
        assert critic == 16 * n * 2 * n + 2 * n + 16 * n
    blocks = {side: [size(net) for net in small("resnet", shape=(3, side, side))[:2]] for side in (16, 32, 64)}
    for net in (0, 1):
        assert blocks[64][net] - blocks[32][net] == blocks[32][net] - blocks[16][net] > 0


@pytest.mark.parametrize("network", [*CONVOLUTIONAL, "mlp"])
@pytest.mark.parametrize("spectral_norm", [False, True])
def test_shapes_and_gradients_to_every_parameter(network, spectral_norm):
    """Of a generator's biases, normalisation takes out those of all convolutions but the last: they have none."""
    generator, critic, shape = small(network, spectral_norm)
    generator, critic = generator.double(), critic.double()
    images = generator(torch.randn(6, 8, dtype=torch.float64))
    assert images.shape == (6, *shape)
    outputs = critic(images)
    assert outputs.shape == (6,)
    outputs.sin().sum().backward()
    convolutions = [layer for layer in generator.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    biases = [layer.bias for layer in convolutions if layer.bias is not None]
    taken_out = set(biases[:-1])
    for name, weight in [*generator.named_parameters(), *critic.named_parameters()]:
        assert weight.grad is not None, name
        assert (weight.grad.abs().max() > 1e-12) == (weight not in taken_out), name
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in critic.modules())


@pytest.mark.parametrize("network", [*CONVOLUTIONAL, "mlp"])
@pytest.mark.parametrize("name", ["r1", "gp"])
def test_penalty_gradients_reach_the_weights_and_equal_finite_differences(network, name):
    _, critic, shape = small(network)
    critic = critic.double()
    points = torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def value():
        x = points.clone().requires_grad_()
        return penalty(name, gradients(critic(x), x))

    weights = [weight for weight in critic.parameters() if weight.ndim > 1]
    for weight, gradient in zip(weights, torch.autograd.grad(value(), weights), strict=True):
        assert gradient.abs().max() > 0
        direction = torch.randn(weight.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        step, ends = 1e-8, []  # so small that hardly any unit crosses its kink
        for sign in (1, -2):
            with torch.no_grad():
                weight += sign * step * direction
            ends.append(value().item())
        with torch.no_grad():
            weight += step * direction
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(
            (gradient * direction).sum().item(), rel=1e-3, abs=1e-9
        )


def test_a_penalty_of_images_looks_at_each_image_alone():
    _, critic, shape = small("residual")
    x = torch.randn(4, *shape).requires_grad_()
    together = gradients(critic(x), x)
    for number in range(4):
        alone = x[number : number + 1].detach().requires_grad_()
        torch.testing.assert_close(gradients(critic(alone), alone)[0], together[number], rtol=1e-4, atol=1e-6)


def test_spectral_norm_divides_by_the_largest_singular_value():
    _, critic, shape = small("residual", spectral_norm=True)
    plain = small("residual")[1]
    for _ in range(200):  # one power iteration each
        critic(torch.randn(1, *shape))
    critic.eval()
    layers = [layer for layer in critic.modules() if isinstance(layer, nn.Conv2d)]
    originals = [layer for layer in plain.modules() if isinstance(layer, nn.Conv2d)]
    assert len(layers) == 3 * 3 + 1
    for layer, original in zip(layers, originals, strict=True):
        largest = torch.linalg.svdvals(original.weight.flatten(1))[0]
        torch.testing.assert_close(layer.weight, original.weight / largest, rtol=2e-3, atol=1e-6)
    before = [layer.weight.clone() for layer in layers]
    critic(torch.randn(1, *shape))
    assert all(
        torch.equal(old, layer.weight) for old, layer in zip(before, layers, strict=True)
    )  # eval does not iterate


def test_the_gate_of_a_residual_block_starts_nearly_closed():
    generator, _, _ = small("residual")
    gates = [weight for name, weight in generator.named_parameters() if name.endswith("alpha")]
    assert len(gates) == 3
    assert torch.sigmoid(gates[0]).item() == pytest.approx(0.0474, abs=1e-4)


def test_doubling_is_nearest_neighbour():
    x = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(Double()(x), nn.functional.interpolate(x, scale_factor=2, mode="nearest"))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 64), (4, 32, 32), (3, 128, 128)])
def test_convolutional_networks_say_which_images_they_make(shape):
    allowed = "makes images of 16x16, 32x32 or 64x64 pixels with 1 or 3 channels"
    found = f"{allowed}, but the data set has {shape[1]}x{shape[2]} with {shape[0]}; network mlp"
    with pytest.raises(UserError, match=found):
        small("dcgan", shape=shape)


def test_power_iterations_are_float32_where_autocast_is_on():
    _, critic, shape = small("residual", spectral_norm=True)
    modes = []
    layer = critic[0][0].parametrizations.weight[0].module
    layer.register_forward_hook(lambda *_: modes.append(torch.is_autocast_enabled("cpu")))
    with torch.autocast("cpu", torch.bfloat16):
        assert critic(torch.randn(2, *shape)).dtype == torch.bfloat16
    assert modes == [False]


@pytest.mark.parametrize("warmup", [False, True])
def test_the_average_of_weights_and_statistics(warmup):
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = Average(net, Averaging(0.9, warmup))
    wanted = {name: value.clone() for name, value in net.state_dict().items()}
    for step in range(30):
        with torch.no_grad():
            for weight in net.parameters():
                weight.normal_(generator=torch.Generator().manual_seed(step))
        net(torch.randn(4, 2, generator=torch.Generator().manual_seed(step)))
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step)) if warmup else 0.9
        for name, value in net.state_dict().items():
            wanted[name] = decay * wanted[name] + (1 - decay) * value if value.is_floating_point() else value.clone()
    for name, value in average.network.state_dict().items():
        torch.testing.assert_close(value, wanted[name], rtol=1e-5, atol=1e-6)
    assert average.network[1].running_mean.abs().max() > 0


def test_the_average_of_a_constant_forgets_the_start_as_its_decays_multiply():
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    average = Average(net, Averaging(0.95, True))
    nn.init.ones_(net.weight)
    left = 1.0
    for step in range(50):
        average.update(step)
        left *= average.decay_at(step)
    assert average.network.weight.item() == pytest.approx(1 - left, rel=1e-6)


def test_pixels_survive_encoding_and_are_rounded_and_clipped():
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    for scale in (Scale(0.5, 0.5), Scale(0.1307, 0.3081)):
        assert torch.equal(scale.decode(scale.encode(pixels)), pixels)
        assert scale.decode(torch.tensor([-99.0, 99.0])).tolist() == [0, 255]
    assert Scale(0.5, 0.5).encode(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == pytest.approx([-1, 1])
    assert Scale(0.5, 0.5).decode(torch.tensor([0.3, 0.7]) / 127.5 - 1).tolist() == [0, 1]
