import pytest
import torch

from pipeline.metrics.operations import Operations


def test_known_operations_are_counted():
    a, b = torch.ones(3, 4), torch.ones(4, 5)
    for work, count in (
        (lambda: a @ b, 2 * 3 * 4 * 5),
        (lambda: a + a, 12),
        (lambda: a.sum(0), 12),
        (lambda: a.mean(0), 12),
        (lambda: a.mT, 0),
    ):
        with (operations := Operations()):
            work()
        assert operations.count == count
    matrix = torch.eye(6, device="meta")
    with (operations := Operations()):
        torch.linalg.slogdet(matrix)
    assert operations.count == 2 * 6**3 // 3


def test_what_cannot_be_counted_is_refused():
    values = torch.ones(3)
    with pytest.raises(NotImplementedError, match="sort"), Operations():
        values.sort()
