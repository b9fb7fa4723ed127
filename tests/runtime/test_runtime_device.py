"""The device is tried before anything is computed on it; what is wrong with it is said in one sentence."""

import subprocess
import sys

import nvidia
import pytest
import torch

from pipeline.runtime import gpus
from pipeline.runtime.device import prepare
from pipeline.runtime.errors import UserError
from pipeline.runtime.sources import ROOT


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Nothing is asked for, no GPU is there, and what `prepare` sets is set back."""
    for variable in ("PIPELINE_DEVICE", "PIPELINE_THREADS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(gpus, "visible", list)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)


@pytest.fixture
def card(monkeypatch):
    """Pretend that torch finds a GPU, whose first kernel raises `error` or whose sums are those of the CPU."""

    def pretend(error: Exception | None = None) -> list[torch.device]:
        arange, current = torch.arange, list[torch.device]()

        def kernel(*arguments, device, **more):
            if error:
                raise error
            return arange(*arguments, **more)

        monkeypatch.setattr(torch, "arange", kernel)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "set_device", current.append)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (6, 1))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA GeForce GTX 1080")
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_80"])
        return current

    return pretend


def test_without_a_gpu_it_is_the_cpu():
    assert prepare() == torch.device("cpu")


@pytest.mark.parametrize(("asked", "expected"), [(None, 0), ("cuda", 0), ("cuda:1", 1)])
def test_the_gpu_asked_for_becomes_the_current_one(card, monkeypatch, asked, expected):
    current = card()
    if asked:
        monkeypatch.setenv("PIPELINE_DEVICE", asked)
    assert prepare() == torch.device("cuda", expected)
    assert current == [torch.device("cuda", expected)]


@pytest.mark.parametrize("asked", ["", "cuda"])
def test_a_stage_of_the_cpu_does_not_touch_the_gpu(card, monkeypatch, asked):
    current = card(RuntimeError("a context was opened"))
    monkeypatch.setenv("PIPELINE_DEVICE", asked)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("CUDA was asked"))
    assert prepare(cpu=True) == torch.device("cpu")
    assert current == []


def test_a_card_too_old_for_torch_is_refused(card):
    card(RuntimeError("CUDA error: no kernel image is available for execution on the device\nCUDA kernel errors ..."))
    with pytest.raises(UserError) as refused:
        prepare()
    assert str(refused.value) == (
        f"The device cuda cannot be used: NVIDIA GeForce GTX 1080 is sm_61, and torch {torch.__version__} has kernels"
        " for sm_75, sm_80 only. PIPELINE_DEVICE=cpu computes without it."
    )


def test_a_driver_too_old_for_torch_is_refused_instead_of_computing_on_the_cpu(monkeypatch):
    monkeypatch.setattr(gpus, "visible", lambda: ["GPU-a"])

    def too_old(_):
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 12020).")

    monkeypatch.setattr(torch.cuda, "set_device", too_old)
    with pytest.raises(
        UserError, match=r"^The device cuda cannot be used: The NVIDIA driver .* too old .*=cpu computes"
    ):
        prepare()
    monkeypatch.setenv("PIPELINE_DEVICE", "cpu")
    assert prepare() == torch.device("cpu")


def test_a_device_without_float64_is_refused(card, monkeypatch):
    card(TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support float64."))
    monkeypatch.setenv("PIPELINE_DEVICE", "mps")
    with pytest.raises(UserError, match="The device mps cannot be used: it has no 64-bit floating point numbers"):
        prepare()


def test_a_device_that_computes_wrongly_is_refused(monkeypatch):
    monkeypatch.setattr(torch, "arange", lambda *_, **__: torch.zeros(4))
    with pytest.raises(UserError, match=r"0 \+ 1 \+ 4 \+ 9 is 0.0 there"):
        prepare()


@pytest.mark.parametrize("name", ["abacus", "meta", "cuda:99"])
def test_a_device_that_is_not_there_is_the_users_error(monkeypatch, name):
    monkeypatch.setenv("PIPELINE_DEVICE", name)
    with pytest.raises(UserError, match=f"The device {name} cannot be used: .*PIPELINE_DEVICE=cpu computes without it"):
        prepare()


@pytest.mark.parametrize("number", ["many", "0", "-1", "1.5"])
def test_an_odd_number_of_threads_is_the_users_error(monkeypatch, number):
    monkeypatch.setenv("PIPELINE_THREADS", number)
    with pytest.raises(UserError, match=f"PIPELINE_THREADS={number}: a whole number of at least 1"):
        prepare()


def test_nothing_is_rounded_to_tensorfloat32_unless_a_precision_asks_for_it():
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    prepare()
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32


class TestVisible:
    """Names of GPUs, as `nvidia-smi` and CUDA_VISIBLE_DEVICES tell them."""

    @pytest.fixture(autouse=True)
    def real(self, monkeypatch, fresh):
        monkeypatch.undo()
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    @pytest.mark.parametrize(
        ("allowed", "expected"),
        [
            (None, ["GPU-a", "GPU-b"]),
            ("1", ["1"]),
            ("GPU-b, 0", ["GPU-b", "0"]),
            ("0,-1,1", ["0"]),
            ("", []),
            ("-1", []),
        ],
    )
    def test_the_environment_narrows_what_the_driver_lists(self, tmp_path, monkeypatch, allowed, expected):
        nvidia.install(tmp_path, monkeypatch, "GPU-a", "GPU-b")
        if allowed is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
        assert gpus.visible() == expected

    def test_the_parts_of_a_divided_gpu_stand_for_it(self, tmp_path, monkeypatch):
        parts = [f"  MIG 3g.40gb     Device  {n}: (UUID: MIG-{n})" for n in (0, 1)]
        nvidia.install(
            tmp_path, monkeypatch, "GPU 0: NVIDIA H100 (UUID: GPU-a)", *parts, "GPU 1: NVIDIA H100 (UUID: GPU-b)"
        )
        assert gpus.visible() == ["MIG-0", "MIG-1", "GPU-b"]

    def test_without_the_drivers_program_its_devices_are_counted(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr(gpus, "DEVICES", tmp_path)
        for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"):
            (tmp_path / name).touch()
        assert gpus.visible() == ["0", "1"]

    def test_a_machine_without_a_gpu_has_none_whatever_the_environment_says(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr(gpus, "DEVICES", tmp_path)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        assert gpus.visible() == []


def test_the_runner_counts_gpus_without_torch():
    script = "import sys, pipeline.runtime.gpus, pipeline.repro.places; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
