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
