"""A CUDA graph for a CPU: operations are recorded below autograd and replayed on the tensors they were recorded with.

As with a CUDA graph, recording changes nothing, Python does not run again, its numbers are those of the recording, and
results lie where they lay; what reads from the device or samples random numbers cannot be recorded.
"""

from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

READING = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
"""Tags of operations whose result, or whose result's shape, the host must know before it goes on."""

INDEXED = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}


def tensors(tree):
    """Return the tensors of a nested structure."""
    return [each for each in tree_leaves(tree) if isinstance(each, Tensor)]


def storage(tensor):
    """Return what identifies the memory of a tensor."""
    return tensor.untyped_storage()._cdata


class Tape(TorchDispatchMode):
    """Stands in for `torch.cuda.CUDAGraph`."""

    recording = False
    """Whether any tape is recording."""

    def __init__(self):
        super().__init__()
        self.records, self.before, self.made = [], {}, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        check(func, args)
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
        """Repeat the recorded operations on the memory that they were recorded with."""
        with torch._C._AutoDispatchBelowAutograd():
            for func, args, kwargs, made in self.records:
                again = tensors(func(*args, **kwargs))
                for place, value in zip(made, again if made else [], strict=True):
                    place.copy_(value)


def check(func, args):
    """Refuse what a CUDA graph cannot hold."""
    if func._schema.name in INDEXED:
        reads = any(each.dtype in (torch.bool, torch.uint8) for each in tensors(args[1]))
    else:
        reads = READING.intersection(func.tags)
    assert not reads, f"{func} reads from the device"
    assert torch.Tag.nondeterministic_seeded not in func.tags, f"{func} samples random numbers"


@contextmanager
def graph(tape, **_):
    """Stands in for `torch.cuda.graph`: after recording, everything is as it was before."""
    Tape.recording = True
    try:
        with tape:
            yield
    finally:
        Tape.recording = False
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
