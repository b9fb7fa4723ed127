"""Arithmetic of matrix products and convolutions: a hyperparameter, since it changes results.

| precision | operands are rounded to | on |
|---|---|---|
| fp32 | 24 bits of significand: not at all | every device; TensorFloat-32 is switched off |
| tf32 | 11 bits, sums in fp32 | NVIDIA GPUs since Ampere; the same as fp32 elsewhere |
| bf16 | 8 bits, by autocast | GPUs since Ampere; CPUs, fast where they have AMX or AVX512-BF16 |

Weights, losses, penalties, normalisation statistics and the state of optimisers are float32 in each of them.
"""

import torch

PRECISIONS = ("fp32", "tf32", "bf16")


def arithmetic(device: torch.device, precision: str) -> torch.autocast:
    """Return the context in which forward passes compute in a precision; their backward passes follow outside of it.

    TensorFloat-32 is a switch of the whole process. It is set here and stays as it is, since backward passes, which
    have to run outside of autocast, must find it too.

    Args:
        device: Device of the tensors.
        precision: `fp32`, `tf32` or `bf16`, see the table of this module.

    Raises:
        ValueError: If it is another word.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"{precision} is not one of {', '.join(PRECISIONS)}")
    allow_tf32(precision == "tf32")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def allow_tf32(allowed: bool) -> None:
    """Let matrix products and convolutions round their operands to TensorFloat-32, or not, from here on."""
    # the older of torch's two switches: mixing them raises, and every version knows this one
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
