import math

import pandas as pd
import pytest
import torch
from torch import nn

from nbhelpers.data.vocabulary import Vocabulary, align_metadata
from nbhelpers.models.collab_nn import CollabNN
from nbhelpers.models.dot_product import DotProductBias
from nbhelpers.models.genres import (
    CollabNNGenres,
    DotProductGenres,
    GenreBag,
    genre_bags,
    genre_names,
)

# Films 10, 20, 30, 40 have two genres, three, none and one.
FILMS = pd.DataFrame(
    {
        "item_id": [10, 20, 30, 40],
        "title": ["A", "B", "C", "D"],
        "genre_Action": [1, 1, 0, 0],
        "genre_Drama": [0, 1, 0, 0],
        "genre_War": [1, 1, 0, 1],
    }
)
BAGS = torch.tensor([[1, 3, 0], [1, 2, 3], [0, 0, 0], [3, 0, 0], [0, 0, 0]])
NAMES = ["Action", "Drama", "War"]
GENRES = {"genres": BAGS, "genre_names": NAMES}
POOLINGS = ["sum", "mean", "sqrt"]
NETWORK = {"n_user_factors": 4, "n_item_factors": 4, "n_genre_factors": 2, "n_hidden": 8}


def test_names_are_sorted_and_bare():
    assert genre_names(FILMS[["item_id", "genre_War", "genre_Action", "genre_Drama"]]) == NAMES


def test_bags_by_hand_with_an_empty_one_for_the_unknown_item():
    bags = genre_bags(FILMS)
    assert bags.dtype == torch.int64
    assert bags.tolist() == BAGS.tolist()


def test_order_of_the_columns_does_not_matter():
    turned = FILMS[["item_id", "genre_War", "genre_Action", "genre_Drama"]]
    assert genre_bags(turned).tolist() == BAGS.tolist()


def test_row_k_of_the_bags_is_item_k_of_the_vocabulary():
    items = Vocabulary([40, 20, 10])  # indices 2, 1, 0; film 30 is not rated
    shuffled = FILMS.sample(frac=1, random_state=1)
    bags = genre_bags(align_metadata(shuffled, items))
    assert bags[items.encode([40])].tolist() == [[3, 0, 0]]
    assert bags[items.encode([20])].tolist() == [[1, 2, 3]]
    assert bags[items.encode([999])].tolist() == [[0, 0, 0]]


def test_bags_leave_the_frame_as_it_was():
    films = FILMS.copy()
    genre_bags(films)
    pd.testing.assert_frame_equal(films, FILMS)


def test_films_without_any_genre_get_bags_of_padding():
    assert genre_bags(FILMS[2:3]).tolist() == [[0], [0]]


def test_frame_without_genres_is_refused():
    with pytest.raises(ValueError, match=r"at least one column genre_\.\.\. is required"):
        genre_bags(FILMS[["item_id", "title"]])


@pytest.mark.parametrize("flag", [2, -1, float("nan"), None])
def test_flag_other_than_zero_and_one_is_refused(flag):
    films = FILMS.assign(genre_War=[1, flag, 0, 1])
    with pytest.raises(ValueError, match="must hold 0 and 1 only, genre_War does not"):
        genre_bags(films)


def large(module):
    """The module with large weights everywhere, in the row of the padding too."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_()
    return module


@pytest.mark.parametrize("pooling", POOLINGS)
def test_bag_equals_a_plain_loop(pooling):
    torch.manual_seed(0)
    bag = large(GenreBag(BAGS, NAMES, 4, pooling=pooling))
    divisor = {"sum": lambda n: 1, "mean": lambda n: n, "sqrt": math.sqrt}[pooling]
    for item_idx, numbers in enumerate([[1, 3], [1, 2, 3], [], [3], []]):
        expected = torch.zeros(4)
        for number in numbers:
            expected += bag.table.weight[number].detach() / divisor(len(numbers))
        torch.testing.assert_close(bag(torch.tensor([item_idx]))[0], expected)


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_bag_equals_that_of_torch(mode):
    bag = large(GenreBag(BAGS, NAMES, 4, pooling=mode))
    theirs = nn.EmbeddingBag.from_pretrained(
        bag.table.weight.detach(), mode=mode, padding_idx=0, freeze=True
    )
    torch.testing.assert_close(bag(torch.arange(5)), theirs(BAGS))


def test_bag_starts_small_with_zeros_for_the_padding():
    bag = GenreBag(torch.zeros(1, 1, dtype=torch.int64), [str(k) for k in range(1000)], 50)
    assert bag.table.weight[1:].std().item() == pytest.approx(0.01, rel=0.05)
    assert not bag.table.weight[0].any()


def test_padding_gets_no_gradient():
    bag = GenreBag(BAGS, NAMES, 4)
    bag(torch.arange(5)).sum().backward()
    assert not bag.table.weight.grad[0].any()
    assert bag.table.weight.grad[1:].all()


def test_bag_keeps_its_own_copy_of_the_genres():
    given = BAGS.clone()
    bag = GenreBag(given, NAMES, 4)
    bag.load_state_dict(GenreBag(torch.ones_like(BAGS), NAMES, 4).state_dict())
    assert torch.equal(given, BAGS)


def test_genres_travel_with_the_weights():
    bag, other = large(GenreBag(BAGS, NAMES, 4)), GenreBag(torch.ones_like(BAGS), NAMES, 4)
    other.load_state_dict(bag.state_dict())
    assert torch.equal(other(torch.arange(5)), bag(torch.arange(5)))


def test_genres_are_read_by_name():
    model = DotProductGenres(6, 5, 2, **GENRES)
    with torch.no_grad():
        model.genre_bias.table.weight[:] = torch.tensor([[9.0], [0.1], [0.2], [0.3]])
        model.genre_factors.table.weight[:] = torch.arange(8.0).reshape(4, 2)
    bias = model.genre_bias.frame()
    assert bias[0].to_dict() == pytest.approx({"Action": 0.1, "Drama": 0.2, "War": 0.3})
    assert model.genre_factors.frame().loc["War"].tolist() == [6.0, 7.0]


def test_frame_of_genres_is_a_copy():
    bag = GenreBag(BAGS, NAMES, 1)
    frame = bag.frame()
    frame.iloc[:] = 7.0
    assert not (bag.table.weight == 7).any()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_item_without_genres_has_the_plain_prediction(pooling):
    model = large(DotProductGenres(6, 5, 3, **GENRES, pooling=pooling, y_range=(0, 5.5)))
    plain = DotProductBias(6, 5, 3, y_range=(0, 5.5))
    shared = {name: x for name, x in model.state_dict().items() if name in plain.state_dict()}
    plain.load_state_dict(shared)
    everyone, two = torch.arange(6), torch.tensor([2, 2, 2, 4, 4, 4])
    torch.testing.assert_close(model(everyone, two), plain(everyone, two))
    assert not torch.isclose(model(everyone, two - 1), plain(everyone, two - 1)).any()


@pytest.mark.parametrize(
    ("pooling", "score"),
    # user factor 2, item factor 0.5, user bias 1, item bias -1; genres 1 and 3 have the
    # factors 1 and 3 (sum 4) and the biases 10 and 30 (sum 40)
    [
        ("sum", 2 * (0.5 + 4) + 40),
        ("mean", 2 * (0.5 + 2) + 20),
        ("sqrt", 2 * 0.5 + (2 * 4 + 40) / math.sqrt(2)),
    ],
)
def test_dot_product_with_genres_by_hand(pooling, score):
    model = DotProductGenres(1, 5, 1, **GENRES, pooling=pooling)
    with torch.no_grad():
        model.user_factors.weight.fill_(2.0)
        model.item_factors.weight.fill_(0.5)
        model.user_bias.weight.fill_(1.0)
        model.item_bias.weight.fill_(-1.0)
        model.genre_factors.table.weight[:, 0] = torch.tensor([99.0, 1.0, 2.0, 3.0])
        model.genre_bias.table.weight[:, 0] = torch.tensor([99.0, 10.0, 20.0, 30.0])
    assert model(torch.tensor([0]), torch.tensor([0])).item() == pytest.approx(score)


def test_network_reads_user_then_item_then_genres():
    model = large(CollabNNGenres(6, 5, **NETWORK, **GENRES, pooling="sum", y_range=None))
    table = model.genre_factors.table.weight
    user, item = model.user_factors.weight[4], model.item_factors.weight[0]
    expected = model.layers(torch.cat([user, item, table[1] + table[3]]))
    torch.testing.assert_close(model(torch.tensor([4]), torch.tensor([0])), expected)


def test_network_with_genres_has_one_wider_layer_than_the_plain_one():
    plain = CollabNN(6, 5, n_user_factors=4, n_item_factors=4, n_hidden=8)
    model = CollabNNGenres(6, 5, **NETWORK, **GENRES)
    assert plain.layers[0].weight.shape == (8, 8)
    assert model.layers[0].weight.shape == (8, 10)


@pytest.mark.parametrize(
    "make",
    [
        lambda n_items: DotProductGenres(6, n_items, 4, **GENRES),
        lambda n_items: CollabNNGenres(6, n_items, **NETWORK, **GENRES),
    ],
    ids=["dot product", "network"],
)
def test_genres_of_another_number_of_items_are_refused(make):
    with pytest.raises(ValueError, match="one row for each of the 4 items, got 5"):
        make(4)


def test_unknown_pooling_is_refused():
    with pytest.raises(
        ValueError, match=r"pooling must be one of \['sum', 'mean', 'sqrt'\], got 'max'"
    ):
        GenreBag(BAGS, NAMES, 4, pooling="max")


@pytest.mark.parametrize("genres", [BAGS.float(), BAGS[0], BAGS.int()])
def test_genres_that_are_no_table_of_numbers_are_refused(genres):
    with pytest.raises(ValueError, match="genres must be an int64 tensor of shape"):
        GenreBag(genres, NAMES, 4)


@pytest.mark.parametrize("genres", [BAGS - 1, BAGS + 1])
def test_genre_numbers_without_a_name_are_refused(genres):
    with pytest.raises(ValueError, match=r"between 0 \(padding\) and 3, the number of names"):
        GenreBag(genres, NAMES, 4)
