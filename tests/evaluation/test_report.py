"""Where results wait for the end of an evaluation."""

import torch

from nbhelpers.evaluation.report import Report, with_float64
from tests.fake_gpu import DEVICE, fake_gpu


def test_results_stay_on_the_gpu_until_the_end():
    report = Report(3, k=2, width=2)
    with fake_gpu():
        for users in (torch.tensor([0, 1]), torch.tensor([2])):
            ranks = torch.tensor([[1, 3], [2, 0], [4, 0]])[users].to(DEVICE)
            lists = users.unsqueeze(1).expand(-1, 2).to(DEVICE)
            report.add(users, ranks, lists, n_candidates=5)
            assert {report._values.device, report._lists.device} == {DEVICE}
        scores = report.scores("test", n_left_out=0, started=0.0)
    assert scores.per_user["rank"].tolist() == [1, 2, 4]
    assert scores.per_user["recall"].tolist() == [0.5, 1.0, 0.0]
    assert scores.lists.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert scores.lists.device.type == "cpu"


def test_a_device_without_float64_measures_on_the_cpu():
    assert with_float64(torch.device("mps")) == torch.device("cpu")
    assert with_float64(torch.device("cuda:0")) == torch.device("cuda:0")
