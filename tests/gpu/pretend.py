"""A GPU for machines that have none: numbers in main memory, of which some are said to lie on `cuda:0`.

A tensor lies there that was made with that device, or by an operation on such a tensor. As on a GPU, an operation
refuses tensors of both places (except single numbers and indices), a generator serves its own place only, numpy reads
the CPU alone, and operations without a repeatable CUDA kernel are refused. Steps are recorded on the tape of
`gpu.tape`; nothing is copied between the two places while one is recorded.
"""

from collections import Counter
from contextlib import contextmanager
from importlib import import_module

import torch
from gpu import tape
from safetensors.torch import load_file
from torch import Tensor
from torch._decomp import decompositions
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._foreach_utils import _group_tensors_by_device_and_dtype
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)

COPIES = {"aten::copy_", "aten::_to_copy"}

MAKERS = {
    getattr(torch, name)
    for name in (
        "arange", "as_tensor", "empty", "eye", "from_numpy", "full", "linspace", "ones", "rand", "randint", "randn",
        "randperm", "tensor", "zeros",
    )
}  # fmt: skip
"""Functions that make a tensor out of none."""

READERS = {Tensor.cpu, Tensor.item, Tensor.numpy, Tensor.tolist, Tensor.__array__, Tensor.__bool__, Tensor.__float__}
"""Methods by which the host waits for numbers."""

UNREPEATABLE = {
    f"aten::{name}"
    for name in (
        "_adaptive_avg_pool2d_backward", "_ctc_loss_backward", "adaptive_max_pool2d_backward", "avg_pool3d_backward",
        "fractional_max_pool2d_backward", "grid_sampler_2d_backward", "histc", "kthvalue",
        "max_pool3d_with_indices_backward", "nll_loss2d_forward", "put_", "reflection_pad1d_backward",
        "reflection_pad2d_backward", "replication_pad1d_backward", "replication_pad2d_backward",
        "upsample_bicubic2d_backward", "upsample_bilinear2d_backward", "upsample_linear1d_backward",
    )
}  # fmt: skip
"""Operations that raise on a GPU in deterministic mode, as `torch.use_deterministic_algorithms` lists them."""


PRODUCTS = Counter()
"""Number of convolutions and matrix products computed in each place: a stage on the GPU has none on the CPU."""


def place(tensor):
    """Return where a tensor is said to lie; `None` where nothing has been said of it."""
    return getattr(tensor.untyped_storage(), "place", None)


def put(tree, where):
    """Say of every tensor of a nested structure where it lies, and return the structure."""
    for tensor in tree_leaves(tree):
        if isinstance(tensor, Tensor) and tensor.device.type != "meta":
            tensor.untyped_storage().place = where
    return tree


class Generator(torch.Generator):
    """A source of random numbers for one of the two places."""

    def __new__(cls, device="cpu"):
        self = super().__new__(cls)
        self.place = torch.device(device)
        return self

    def __init__(self, device="cpu"):
        pass

    device = property(lambda self: self.place)


class Operations(TorchDispatchMode):
    """Sees every operation, those of backward passes included: where its tensors lie decides where its results do."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name, read = func._schema.name, tape.tensors((args, kwargs))
        # fused optimisers and concatenations do not even take a single number from elsewhere
        strict = "fused" in name or name in ("aten::cat", "aten::stack")
        places = {place(each) for each in read if each.dim() or strict or place(each) == GPU}
        if places >= {CPU, GPU} and not crosses(name, args):
            raise RuntimeError(f"{func}: tensors on cpu and on {GPU}")
        if GPU in places and name in UNREPEATABLE:
            raise RuntimeError(f"{func} has no deterministic implementation on {GPU}")
        result, where = func(*args, **kwargs), GPU if GPU in places else CPU if CPU in places else None
        if "convolution" in name or name.endswith("mm"):
            PRODUCTS[where] += 1
        for each in tape.tensors(result):
            if place(each) is None:
                put(each, where)
        return result


def crosses(name, args):
    """Return whether an operation may read tensors of both places: a copy may, and a tensor on the GPU by an index."""
    if name in tape.INDEXED:
        values = args[2] if len(args) > 2 else args[0]
        allowed = place(args[0]) == GPU and not (values.dim() and place(values) == CPU)
    else:
        allowed = name in COPIES
    return allowed and not tape.Tape.recording


class Functions(TorchFunctionMode):
    """Sees every call in which a device may be named, asked for or left."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if isinstance(func, torch._ops.OpOverload):  # of a replay: where its tensors lie is known
            return func(*args, **kwargs)
        at = place(args[0]) if args and isinstance(args[0], Tensor) else None
        if at == GPU:
            if func == Tensor.device.__get__:
                return GPU
            if func in (Tensor.is_cuda.__get__, Tensor.is_cpu.__get__):
                return func == Tensor.is_cuda.__get__
            if func in (Tensor.numpy, Tensor.__array__):
                raise TypeError(f"numpy cannot read a tensor on {GPU}")
            assert not (func in READERS and tape.Tape.recording), f"{func.__name__} reads from the device"
            if func == F.interpolate:
                return enlarged(*args, **kwargs)
        if func == Tensor.cpu:
            return put(args[0].clone(), CPU)
        if func == Tensor.to:
            return moved(func, at or CPU, *args, **kwargs)
        made = torch.device(kwargs.get("device") or (CPU if func in MAKERS else at or CPU))
        random = kwargs.get("generator")
        if random is not None and random.device.type != made.type:
            raise RuntimeError(f"{func.__name__} on {made} with a generator on {random.device}")
        if func not in MAKERS and "device" not in kwargs:
            return func(*args, **kwargs)
        return put(func(*args, **{**kwargs, "device": CPU} if "device" in kwargs else kwargs), made)


def enlarged(images, size=None, scale_factor=None, mode="nearest", align_corners=None, **_):
    """Interpolate as torch does on a GPU in deterministic mode: by indices, whose backward pass is repeatable."""
    assert mode == "bilinear"
    return decompositions._upsample_linear_vec(images, size, align_corners, [float(scale_factor)] * 2)


def moved(to, at, tensor, *args, device=None, non_blocking=False, **kwargs):
    """Return `tensor.to(...)` for a tensor that lies `at` one place and may have to go to the other."""
    named = [each for each in (*args[:1], device) if isinstance(each, torch.device | str)]
    wanted = torch.device(named[0]) if named else at
    if wanted.type == at.type:
        return to(tensor, *(CPU if each in named else each for each in args), **kwargs)
    assert not tape.Tape.recording, f"a copy from {at} to {wanted} cannot be recorded"
    dtypes = [each for each in args if isinstance(each, torch.dtype)]
    return put(to(tensor.clone(), *dtypes, **kwargs), wanted)


@contextmanager
def gpu(monkeypatch):
    """Yield the pretended device, on which everything runs as on a GPU inside the block."""
    tape.install(monkeypatch)
    hide(monkeypatch)
    with Operations(), Functions():
        yield GPU


def hide(monkeypatch):
    """Answer for the pretended device where torch asks the driver, or reads a tensor's device past all modes."""
    read, autocast = torch.load, torch.autocast

    def load(file, map_location=None, **other):
        return put(read(file, map_location="cpu", **other), torch.device(map_location or CPU))

    def grouped(lists, with_indices=False):
        groups = _group_tensors_by_device_and_dtype(lists, with_indices).items()
        return {(place(rows[0][0]) or device, dtype): (rows, index) for (device, dtype), (rows, index) in groups}

    monkeypatch.setattr(torch, "Generator", Generator)
    monkeypatch.setattr(torch, "load", load)
    monkeypatch.setattr(torch, "autocast", lambda device, *args, **kwargs: autocast("cpu", *args, **kwargs))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "pretended")
    for module in ("torch.optim.optimizer", "torch.nn.utils.clip_grad"):
        monkeypatch.setattr(import_module(module), "_group_tensors_by_device_and_dtype", grouped)
    monkeypatch.setattr(
        "pipeline.runtime.weights.load_file", lambda path, device: put(load_file(path), torch.device(device))
    )
