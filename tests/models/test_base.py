import pytest
import torch
from scipy.sparse import csr_matrix
from torch import nn

from nbhelpers.models.base import ClosedForm, Model, NotFittedError, Wrapper


class Table(Model, nn.Module):
    def __init__(self, n_users, n_items, *, widths=(2, 3), start=None, make=nn.Linear):
        super().__init__()
        self.n_users, self.n_items = n_users, n_items


class Renamed(Table):
    """Takes other arguments than the class it extends, and passes some on."""

    def __init__(self, size, **settings):
        super().__init__(size, size, **settings)


class Around(Wrapper):
    def __init__(self, inner):
        self.inner = inner

    @property
    def within(self):
        return self.inner


class Counted(ClosedForm):
    learned = ("counts", "table", "mean", "name", "n_users")

    def fit(self, name="abc"):
        self.counts, self.table = torch.tensor([1, 2]), csr_matrix([[0.0, 1.5], [0.0, 0.0]])
        self.mean, self.name, self.n_users = 3.25, name, 2
        return self


def test_settings_hold_what_was_given_and_the_defaults():
    assert Table(3, n_items=4, widths=(5,)).settings() == {
        "n_users": 3,
        "n_items": 4,
        "widths": (5,),
        "start": None,
        "make": nn.Linear,
    }


def test_settings_are_those_of_the_class_that_was_built():
    assert Renamed(3, widths=(1,)).settings() == {"size": 3, "widths": (1,)}


def test_changing_the_settings_that_came_back_changes_nothing():
    model = Table(3, 4)
    model.settings()["n_users"] = 99
    assert model.settings()["n_users"] == 3


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((3,), {}, "Table.__init__.* missing 1 required positional argument: 'n_items'"),
        ((3, 4), {"width": 1}, "Table.__init__.* unexpected keyword argument 'width'"),
        ((3, 4, 5), {}, "Table.__init__.* takes 3 positional arguments but 4 were given"),
    ],
)
def test_wrong_arguments_are_refused_by_the_constructor(args, kwargs, message):
    with pytest.raises(TypeError, match=message):
        Table(*args, **kwargs)


def test_a_line_shows_tensors_by_shape_and_long_sequences_cut():
    model = Table(1200, 4, widths=tuple(range(9)), start=torch.zeros(4, 2))
    assert repr(model) == (
        "Table(widths=(0, 1, 2, 3, 4, 5, ...), start=Tensor(4, 2), make=Linear): "
        "1,200 users, 4 items"
    )


def test_a_model_within_another_is_shown_without_its_sizes():
    inner = Table(3, 4, widths=(1,))
    assert repr(Around(inner)) == (
        "Around(inner=Table(widths=(1,), start=None, make=Linear)): 3 users, 4 items"
    )


def test_a_wrapper_around_a_model_of_unknown_size_can_be_shown():
    assert repr(Around(nn.Linear(1, 1))).endswith(": of unknown size")


def test_everything_learned_comes_back_from_the_state():
    model, other = Counted().fit(), Counted()
    state = model.state_dict()
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    other.load_state_dict(state)
    assert other.counts.tolist() == [1, 2]
    assert other.table.toarray().tolist() == [[0.0, 1.5], [0.0, 0.0]]
    assert (other.mean, other.name, other.n_users) == (3.25, "abc", 2)
    assert isinstance(other.n_users, int)


def test_text_that_is_none_comes_back_as_none():
    other = Counted()
    other.load_state_dict(Counted().fit(name=None).state_dict())
    assert other.name is None


@pytest.mark.parametrize("change", [{"counts": None}, {"extra": torch.zeros(1)}])
def test_a_state_of_another_model_is_refused(change):
    state = {**Counted().fit().state_dict(), **change}
    state = {name: value for name, value in state.items() if value is not None}
    with pytest.raises(ValueError, match="Counted learns counts, mean, n_users, name, table, got"):
        Counted().load_state_dict(state)


def test_what_is_not_learned_yet_is_said_to_be():
    with pytest.raises(NotFittedError, match=r"Counted has no counts yet .*: call fit first"):
        _ = Counted().counts
    with pytest.raises(AttributeError, match="'Counted' object has no attribute 'other'"):
        _ = Counted().other
    assert not hasattr(Counted(), "counts")
