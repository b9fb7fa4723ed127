import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """As the stages run: the operations are too small to share."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
