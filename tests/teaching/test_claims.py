import numpy as np
import pytest
import torch

from nbhelpers.teaching.claims import ClaimError, claim


@pytest.mark.parametrize("true", [True, np.True_, torch.tensor(True), torch.ones(1) > 0])
def test_true_claim_is_silent(true, capsys):
    claim("one is above zero", true)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("false", [False, np.False_, torch.tensor(False)])
def test_false_claim_stops_with_its_sentence(false):
    with pytest.raises(ClaimError, match="not true of this run: zero is above one"):
        claim("zero is above one", false)


@pytest.mark.parametrize("unclear", [[], [False], 0.3, 1, None, "no", np.ones(2) > 0])
def test_what_is_no_single_truth_value_is_refused(unclear):
    with pytest.raises((TypeError, ValueError)):
        claim("something", unclear)


@pytest.mark.parametrize("holds", [True, False])
def test_claim_about_another_data_set_is_skipped_aloud(holds, capsys, monkeypatch):
    monkeypatch.setenv("CF_DATASET", "ml-1m")
    claim("the gain is 0.022", holds, only_for="ml-100k")
    said = "skipped on ml-1m, stated for ml-100k: the gain is 0.022\n"
    assert capsys.readouterr().out == said


def test_claim_about_this_data_set_is_judged(capsys, monkeypatch):
    monkeypatch.delenv("CF_DATASET", raising=False)
    claim("one is above zero", True, only_for="ml-100k")
    assert capsys.readouterr().out == ""
    with pytest.raises(ClaimError, match="zero is above one"):
        claim("zero is above one", False, only_for="ml-100k")


def test_claim_about_any_data_set_is_judged_on_all(monkeypatch):
    monkeypatch.setenv("CF_DATASET", "ml-1m")
    with pytest.raises(ClaimError, match="zero is above one"):
        claim("zero is above one", False)


def test_what_is_no_truth_value_is_refused_where_it_would_be_skipped_too(monkeypatch):
    monkeypatch.setenv("CF_DATASET", "ml-1m")
    with pytest.raises(TypeError, match="a claim needs True or False, got list: something"):
        claim("something", [False], only_for="ml-100k")
