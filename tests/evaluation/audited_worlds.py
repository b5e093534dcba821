"""Clean pipelines on synthetic data, and the faults that are planted in them."""

import numpy as np
import pandas as pd
import torch

from nbhelpers.data.datasets.synthetic import make_ratings
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.splits import (
    cold_split,
    leave_last_out,
    random_split,
    stratified_split,
    temporal_split,
)
from nbhelpers.data.vocabulary import Vocabulary, align_metadata

N_USERS, N_ITEMS, N_RATINGS, K = 120, 80, 2_400, 10


class Table:
    def __init__(self, scores):
        self.scores = scores

    def score_users(self, user_idx):
        return self.scores[user_idx]


class Popular(Table):
    """Scores by training counts, with a little that differs between users."""

    def __init__(self, counts, seed):
        noise = np.random.default_rng(seed).random((N_USERS + 1, len(counts)))
        super().__init__(torch.from_numpy(np.log1p(counts) + noise))


class World:
    """What a clean pipeline passes to the audit; a fault changes it.

    Lists, candidates and features are built by plain loops, from the frames.
    """

    def __init__(self, seed, split, *, timed=True):
        self.rng = np.random.default_rng(seed)
        made = make_ratings(N_USERS, N_ITEMS, N_RATINGS, drift=0.3, rng=seed)
        self.log = made.ratings.assign(timestamp=made.ratings.timestamp // 86_400)  # many ties
        self.catalog = made.items[["item_id", "title", "year"]]
        self.users, self.items = Vocabulary(self.log.user_id), Vocabulary(self.log.item_id)
        if not timed:
            self.log = self.log.drop(columns="timestamp")
        self.train, self.valid, self.test = split(self.log, seed)
        self.settings = {}
        counts = np.bincount(self.items.encode(self.train.item_id), minlength=len(self.items))
        self.model, self.anew = Popular(counts, seed), Popular(counts, seed + 1000)
        self.lists = self.make_lists()

    def before(self):
        return pd.concat([self.train, self.valid])

    def had(self):
        return self.before().groupby("user_id").item_id.agg(set).to_dict()

    def make_lists(self, masked=True):
        had, rows = self.had(), []
        for user in sorted(self.test.user_id.unique()):
            scores = self.model.score_users(torch.tensor([self.users.encode([user])[0]]))[0]
            listed = self.items.decode(scores.argsort(descending=True).tolist())
            kept = [item for item in listed if not masked or item not in had.get(user, ())]
            rows += [(user, item, rank + 1) for rank, item in enumerate(kept[:K])]
        lists = pd.DataFrame(rows, columns=["user_id", "item_id", "rank"])
        return lists.merge(self.catalog[["item_id", "title"]], on="item_id")

    def make_candidates(self, holding_positives=False):
        had, rows = self.had(), []
        targets = self.test.groupby("user_id").item_id.agg(set).to_dict()
        for user, wanted in targets.items():
            own = set() if holding_positives else had.get(user, set())
            free = sorted(set(self.items.ids) - own - wanted)
            drawn = self.rng.choice(free, size=20, replace=False)
            rows += [(user, item) for item in [*sorted(wanted), *drawn]]
        return pd.DataFrame(rows, columns=["user_id", "item_id"])

    def honest_hit_rate(self, model):
        return self._hit_rate(model, ties_for=False)

    def kind_hit_rate(self, model):
        return self._hit_rate(model, ties_for=True)

    def _hit_rate(self, model, *, ties_for):
        had, hits = self.had(), []
        for user, group in self.test.groupby("user_id"):
            scores = model.score_users(torch.tensor([self.users.encode([user])[0]]))[0].numpy()
            mask = self.items.encode(sorted(had.get(user, ())))
            scores = scores.astype(float)
            scores[mask] = -np.inf
            target = self.items.encode(group.item_id)
            others = np.delete(scores, target)
            best = scores[target].max()
            n_above = (others > best).sum() if ties_for else (others >= best).sum()
            hits.append(n_above < K)
        return float(np.mean(hits))

    def arguments(self):
        """Positional and keyword arguments of the audit."""
        given = {
            "users": self.users,
            "items": self.items,
            "lists": self.lists,
            "per_user": self.lists[["user_id"]].drop_duplicates(),
            "candidates": self.make_candidates(),
            "evaluate": self.honest_hit_rate,
            "refit": lambda: self.anew,
            "k": K,
            "item_metadata": self.catalog.sample(frac=1, random_state=1),
            "features": align_metadata(self.catalog, self.items)[["title", "year"]],
        }
        return (self.train, self.valid, self.test, self.model), given | self.settings


def by_time(log, seed):
    return temporal_split(log, valid_frac=0.15, test_frac=0.15)


def at_random(log, seed):
    return stratified_split(log, valid_frac=0.15, test_frac=0.15, rng=seed)


def rows_at_random(log, seed):
    return random_split(log, valid_frac=0.15, test_frac=0.15, rng=seed)


def last_out(log, seed):
    return leave_last_out(log, n_parts=3, rng=seed)


def cold_users(log, seed):
    return cold_split(log, valid_frac=0.15, test_frac=0.15, rng=seed)


def cold_items(log, seed):
    return cold_split(log, by="item_id", valid_frac=0.15, test_frac=0.15, rng=seed)


def global_world(seed):
    world = World(seed, by_time)
    world.settings["split"] = "global_time"
    return world


CLEAN = {
    "global time": global_world,
    "time, per user": lambda seed: World(seed, by_time),
    "leave last out, with ties": lambda seed: World(seed, last_out),
    "random, no times": lambda seed: World(seed, at_random, timed=False),
    "random rows, no times": lambda seed: World(seed, rows_at_random, timed=False),
    "cold users": lambda seed: World(seed, cold_users),
    "cold items, no times": lambda seed: World(seed, cold_items, timed=False),
}


def as_interactions(world):
    """The same pipeline with ``Interactions``, whose vocabularies are the maps."""

    def one(frame):
        times = "timestamp" if "timestamp" in frame else None
        return Interactions.from_frame(
            frame, users=world.users, items=world.items, weights="rating", timestamps=times
        )

    (train, valid, test, model), given = world.arguments()
    del given["users"], given["items"]
    return (one(train), one(valid), one(test), model), given


def as_indices(world):
    """The same pipeline with indices in place of ids, and no map."""

    def one(frame):
        columns = {"user_idx": world.users.encode(frame.user_id)}
        columns["item_idx"] = world.items.encode(frame.item_id)
        return frame.drop(columns=["user_id", "item_id"]).assign(**columns)

    (train, valid, test, model), _ = world.arguments()
    return (one(train), one(valid), one(test), model), {"lists": one(world.lists)}


FORMS = {
    "frames": World.arguments,
    "interactions": as_interactions,
    "indices": as_indices,
}

# Faults: each takes a seed and gives the arguments of the audit.


def own_maps(seed):
    world = World(seed, by_time)
    parts = (world.train, world.valid, world.test)
    world.settings["items"] = [Vocabulary(part.item_id) for part in parts]
    return world.arguments()


def own_maps_in_columns(seed):
    world = World(seed, by_time)
    parts = [
        part.assign(user_idx=part.user_id.factorize()[0], item_idx=part.item_id.factorize()[0])
        for part in (world.train, world.valid, world.test)
    ]
    return (*parts, None), {}


def own_maps_of_interactions(seed):
    world = World(seed, by_time)

    def one(part):
        users, items = Vocabulary(part.user_id), Vocabulary(part.item_id)
        return Interactions.from_frame(part, users=users, items=items, timestamps="timestamp")

    return (one(world.train), one(world.valid), one(world.test), None), {}


def own_numbers_only(seed):
    world = World(seed, last_out)
    kept = world.test.user_id.isin(world.test.user_id.unique()[::2])
    parts = [
        part.assign(user_id=part.user_id.factorize()[0], item_id=part.item_id.factorize()[0])
        for part in (world.train, world.valid, world.test[kept])
    ]
    columns = ["user_id", "item_id", "rating"]
    return tuple(part[columns] for part in parts), {"repeats_allowed": True}


def random_with_times(seed):
    return World(seed, at_random).arguments()


def no_moment(seed):
    world = World(seed, last_out)
    world.settings["split"] = "global_time"
    return world.arguments()


def test_rows_in_training(seed):
    world = World(seed, last_out)
    world.train = pd.concat([world.train, world.test.sample(5, random_state=seed)])
    return world.arguments()


def valid_is_test(seed):
    world = World(seed, last_out)
    world.valid = world.test
    world.settings |= {"candidates": None, "evaluate": None}
    return world.arguments()


def valid_shares_test(seed):
    world = World(seed, by_time)
    world.valid = pd.concat([world.valid, world.test.iloc[:7]])
    return world.arguments()


def valid_in_training(seed):
    world = World(seed, at_random, timed=False)
    world.train = pd.concat([world.train, world.valid.iloc[:9]])
    return world.arguments()


def rows_twice(seed):
    world = World(seed, last_out)
    world.test = pd.concat([world.test, world.test.iloc[:4]])
    return world.arguments()


def ids_as_text(seed):
    world = World(seed, last_out)
    test = world.test.assign(item_id=world.test.item_id.astype(str))
    return (world.train, world.valid, test, None), {}


def map_of_training(seed):
    world = World(seed, cold_users)
    return (world.train, world.valid, world.test), {"users": Vocabulary(world.train.user_id)}


def shared_unknown_row(seed):
    world = World(seed, cold_items, timed=False)
    known = Vocabulary(world.train.item_id)
    parts = [
        part.assign(item_idx=known.encode(part.item_id))
        for part in (world.train, world.valid, world.test)
    ]
    return tuple(parts), {}


def nothing_masked(seed):
    world = World(seed, last_out)
    world.lists = world.make_lists(masked=False)
    return world.arguments()


def validation_not_masked(seed):
    world = World(seed, by_time)
    had = world.valid[world.valid.user_id.isin(world.test.user_id)].groupby("user_id").head(1)
    world.lists = pd.concat([world.lists, had[["user_id", "item_id"]].assign(rank=11)])
    return world.arguments()


def item_listed_twice(seed):
    world = World(seed, last_out)
    world.lists = pd.concat([world.lists, world.lists.iloc[:3].assign(rank=11)])
    return world.arguments()


def features_in_catalog_order(seed):
    world = World(seed, last_out)
    shuffled = world.catalog.sample(frac=1, random_state=seed).reset_index(drop=True)
    world.settings["features"] = shuffled[["title", "year"]]
    return world.arguments()


def feature_rows_with_ids(seed):
    world = World(seed, last_out)
    shifted = world.catalog.iloc[np.roll(np.arange(N_ITEMS), 1)].reset_index(drop=True)
    world.settings["features"] = shifted
    return world.arguments()


def years_by_row(seed):
    world = World(seed, last_out)
    years = world.catalog.year.to_numpy(dtype=float)
    world.settings["features"] = torch.from_numpy(np.roll(years, 3)).unsqueeze(1)
    return world.arguments()


def too_few_feature_rows(seed):
    world = World(seed, last_out)
    world.settings["features"] = np.zeros((N_ITEMS - 5, 3))
    return world.arguments()


def titles_by_row(seed):
    world = World(seed, last_out)
    titles = world.catalog.title.to_numpy()
    world.lists["title"] = titles[world.lists.item_id % N_ITEMS]  # ids begin with 1
    return world.arguments()


def candidates_with_positives(seed):
    world = World(seed, last_out)
    world.settings["candidates"] = world.make_candidates(holding_positives=True)
    return world.arguments()


def candidates_with_target_twice(seed):
    world = World(seed, last_out)
    target = world.test[["user_id", "item_id"]].sort_values("user_id").to_numpy()
    negatives = world.make_candidates().groupby("user_id").item_id.agg(list).to_list()
    table = [[item, *row[1:], item] for (_, item), row in zip(target, negatives, strict=True)]
    world.settings["candidates"] = torch.from_numpy(
        world.items.encode(np.ravel(table)).reshape(len(table), -1)
    )
    return world.arguments()


def kind_ties(seed):
    world = World(seed, last_out)
    world.settings |= {"evaluate": world.kind_hit_rate, "candidates": None}
    return world.arguments()


def first_candidate_wins(seed):
    world = World(seed, last_out)
    world.settings["evaluate"] = lambda model: 1.0  # argmax takes the first, the positive
    return world.arguments()


def test_items_first_in_ties(seed):
    world = World(seed, last_out)
    own = world.test[["user_id", "item_id"]].assign(rank=0)
    others = world.lists.merge(own[["user_id", "item_id"]], how="left", indicator=True)
    others = others[others["_merge"] == "left_only"][["user_id", "item_id", "rank"]]
    world.lists = pd.concat([own, others]).assign(score=1.0).sort_values(["user_id", "rank"])
    return world.arguments()


def scores_are_ratings(seed):
    world = World(seed, at_random, timed=False)
    table = torch.rand(N_USERS, N_ITEMS, generator=torch.Generator().manual_seed(seed))
    user, item = world.users.encode(world.log.user_id), world.items.encode(world.log.item_id)
    table[user, item] = torch.tensor(world.log.rating.tolist())
    world.model = Table(table)
    return world.arguments()


def target_on_top(seed):
    world = World(seed, last_out)
    table = world.model.scores[:N_USERS].clone()
    user, item = world.users.encode(world.test.user_id), world.items.encode(world.test.item_id)
    table[user, item] += 9
    world.model = Table(table)
    return world.arguments()


def a_hint_of_the_target(seed):
    world = World(seed, by_time)
    table = world.model.scores[:N_USERS].clone()
    user, item = world.users.encode(world.test.user_id), world.items.encode(world.test.item_id)
    table[user, item] += 2
    world.model = Table(table)
    return world.arguments()


def everybody_in_the_mean(seed):
    world = World(seed, by_time)
    world.settings["per_user"] = pd.DataFrame({"user_id": world.users.ids, "hit": 0.0})
    return world.arguments()


def easy_users_only(seed):
    world = World(seed, last_out)
    busy = world.train.user_id.value_counts().head(60).index
    world.lists = world.lists[world.lists.user_id.isin(busy)]
    return world.arguments()


def popularity_of_everything(seed):
    world = World(seed, last_out)
    counts = world.log.item_id.value_counts()
    features = align_metadata(world.catalog, world.items)[["title"]]
    world.settings["features"] = features.assign(
        popularity=np.log1p(counts.reindex(world.items.ids).to_numpy())
    )
    return world.arguments()


def mean_rating_of_everything(seed):
    world = World(seed, at_random, timed=False)
    mean = world.log.groupby("user_id").rating.mean()
    world.settings["user_metadata"] = mean.rename("mean_stars").reset_index()
    return world.arguments()


def scale_of_each_part(seed):
    world = World(seed, by_time)
    world.test = world.test.assign(rating=world.test.rating / 5)
    return world.arguments()


def standardized_apart(seed):
    world = World(seed, last_out)
    for name in ("train", "valid", "test"):
        part = getattr(world, name)
        values = (part.rating - part.rating.mean()) / part.rating.std()
        setattr(world, name, part.assign(rating=values))
    return world.arguments()


class Trained(Table):
    """A model that says what it was trained on."""

    def __init__(self, scores, trained_users, trained_items):
        super().__init__(scores)
        self.trained_users, self.trained_items = trained_users, trained_items


def trained_on_all_items(seed):
    world = World(seed, cold_items, timed=False)
    everything = torch.ones(N_USERS, dtype=torch.bool), torch.ones(N_ITEMS, dtype=torch.bool)
    world.model = Trained(world.model.scores, *everything)
    return world.arguments()


def trained_on_the_test(seed):
    world = World(seed, last_out)
    table = world.model.scores.clone()
    user, item = world.users.encode(world.test.user_id), world.items.encode(world.test.item_id)
    table[user, item] += 0.4
    world.model = Table(table)
    return world.arguments()


# What a planted fault brings along, rightly found as well.
ALSO = {
    test_rows_in_training: {"random_split", "seen_listed"},
    valid_shares_test: {"random_split"},
    trained_on_the_test: {"scores_contain_target"},
    scores_are_ratings: {"model_saw_test"},
    target_on_top: {"model_saw_test"},
    a_hint_of_the_target: {"model_saw_test"},
}
PLANTED = {
    own_maps: "own_mapping",
    own_maps_in_columns: "own_mapping",
    own_maps_of_interactions: "own_mapping",
    own_numbers_only: "own_mapping",
    random_with_times: "random_split",
    no_moment: "future_of_others",
    test_rows_in_training: "test_in_training",
    valid_is_test: "test_for_selection",
    valid_shares_test: "test_for_selection",
    valid_in_training: "valid_in_training",
    rows_twice: "repeated_rows",
    ids_as_text: "id_types_differ",
    map_of_training: "unknown_ids",
    shared_unknown_row: "unknown_ids",
    nothing_masked: "seen_listed",
    validation_not_masked: "seen_listed",
    item_listed_twice: "list_repeats",
    features_in_catalog_order: "metadata_misaligned",
    feature_rows_with_ids: "metadata_misaligned",
    years_by_row: "metadata_misaligned",
    too_few_feature_rows: "metadata_misaligned",
    titles_by_row: "metadata_misaligned",
    candidates_with_positives: "candidates_hold_positives",
    candidates_with_target_twice: "candidates_hold_positives",
    kind_ties: "ties_favor_positives",
    first_candidate_wins: "ties_favor_positives",
    test_items_first_in_ties: "ties_favor_positives",
    scores_are_ratings: "scores_contain_target",
    target_on_top: "scores_contain_target",
    a_hint_of_the_target: "scores_contain_target",
    everybody_in_the_mean: "users_without_test",
    easy_users_only: "users_left_out",
    popularity_of_everything: "features_contain_test",
    mean_rating_of_everything: "features_contain_test",
    scale_of_each_part: "ratings_rescaled",
    standardized_apart: "ratings_rescaled",
    trained_on_all_items: "model_saw_test",
    trained_on_the_test: "model_saw_test",
}
