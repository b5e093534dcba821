import importlib

import pytest

from nbhelpers.__main__ import main
from nbhelpers.course import doctor


def test_report_names_python_and_torch(monkeypatch):
    monkeypatch.setenv("CF_DEVICE", "cpu")
    assert "Python 3." in doctor.report()
    assert "torch 2." in doctor.report()


def test_gpu_that_is_not_there_is_an_error(monkeypatch, capsys):
    monkeypatch.setenv("CF_DEVICE", "cuda")
    monkeypatch.setattr(doctor.torch.cuda, "is_available", lambda: False)
    assert main(["doctor"]) == 1
    assert "DEVICE=cuda needs an NVIDIA GPU" in capsys.readouterr().err


def test_torchvision_of_another_torch_is_named_with_its_cure(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(doctor.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(RuntimeError, match="pip uninstall -y torchvision"):
        doctor.check_torchvision()
