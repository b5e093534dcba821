import pytest
import torch

from nbhelpers.training.device import choose_device


def test_cpu_without_a_wish(monkeypatch):
    monkeypatch.delenv("CF_DEVICE", raising=False)
    assert choose_device() == torch.device("cpu")


def test_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setenv("CF_DEVICE", "tpu")
    with pytest.raises(ValueError, match="CF_DEVICE=tpu is not usable here: choose among cpu"):
        choose_device()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_is_used_when_asked_for(monkeypatch):
    monkeypatch.setenv("CF_DEVICE", "cuda")
    assert choose_device().type == "cuda"
