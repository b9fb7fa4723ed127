import pytest
import torch

from pipeline.features.network import FeatureNetwork

NETWORK = FeatureNetwork(lambda x: (x.float().flatten(1), x.float().mean((1, 2, 3))[:, None]), "test", {})


def test_no_image_is_left_out_and_their_order_is_kept():
    images = torch.randint(256, (203, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features, logits = NETWORK.extract(images)
    assert torch.equal(features, images.flatten(1).float())
    assert logits.shape == (203, 1)


def test_images_that_are_no_bytes_are_refused():
    with pytest.raises(TypeError, match=r"torch\.float32; scores are defined on whole-numbered pixels"):
        NETWORK.extract(torch.rand(2, 1, 2, 2))
