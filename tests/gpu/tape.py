"""A CUDA graph for a CPU: operations are recorded below autograd and replayed on the tensors they were recorded with.

As with a CUDA graph, recording changes nothing, Python does not run again, its numbers are those of the recording, and
results lie where they lay; what reads from the device or samples random numbers cannot be recorded.
"""

from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SYNCHRONISING = {"aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero", "aten::equal"}


def tensors(tree):
    return [each for each in tree_leaves(tree) if isinstance(each, Tensor)]


def storage(tensor):
    return tensor.untyped_storage()._cdata


class Tape(TorchDispatchMode):
    """Stands in for `torch.cuda.CUDAGraph`."""

    def __init__(self):
        super().__init__()
        self.records, self.before, self.made = [], {}, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        assert func._schema.name not in SYNCHRONISING, f"{func} reads from the device"
        assert torch.Tag.nondeterministic_seeded not in func.tags, f"{func} samples random numbers"
        rules = func._schema.arguments
        given = dict(zip((rule.name for rule in rules), args, strict=False)) | kwargs
        written = [given.get(rule.name) for rule in rules if rule.alias_info and rule.alias_info.is_write]
        if func == torch.ops.aten.native_batch_norm.default:  # whose schema does not say so
            written += [given["running_mean"], given["running_var"]]
        for each in tensors(written):
            if storage(each) not in self.made:
                self.before.setdefault(storage(each), (each, each.clone()))
        result = func(*args, **kwargs)
        known = {storage(each) for each in tensors((args, kwargs))}
        new = [each for each in tensors(result) if storage(each) not in known]
        self.made |= {storage(each) for each in new}
        if new or func._schema.is_mutable:  # else a view
            self.records.append((func, args, kwargs, new))
        return result

    def replay(self):
        with torch._C._AutoDispatchBelowAutograd():
            for func, args, kwargs, made in self.records:
                again = tensors(func(*args, **kwargs))
                for place, value in zip(made, again if made else [], strict=True):
                    place.copy_(value)


@contextmanager
def graph(tape, **_):
    """Stands in for `torch.cuda.graph`: after recording, everything is as it was before."""
    with tape:
        yield
    with torch._C._AutoDispatchBelowAutograd():
        for place, value in tape.before.values():
            place.copy_(value)


class Stream:
    """Stands in for `torch.cuda.Stream`."""

    def wait_stream(self, other):
        pass


def install(monkeypatch):
    """Put the tape in the place of CUDA's graphs and streams."""
    for name, stand_in in (
        ("CUDAGraph", Tape), ("graph", graph), ("stream", nullcontext), ("Stream", Stream), ("current_stream", Stream),
        ("graph_pool_handle", lambda: None),
    ):  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, stand_in)
