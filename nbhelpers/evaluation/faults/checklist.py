"""The checks of an audit, one after the other, and what each of them needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from nbhelpers.core.recommender import HasSizes, Recommender
from nbhelpers.data.interactions import Interactions
from nbhelpers.data.vocabulary import Vocabulary
from nbhelpers.evaluation.faults import (
    id_faults,
    list_faults,
    metadata_faults,
    score_faults,
    split_faults,
)
from nbhelpers.evaluation.faults.audited_parts import (
    SIDES,
    AuditedParts,
    Ints,
    Mapped,
    Rows,
    as_frame,
)
from nbhelpers.evaluation.faults.finding import Finding
from nbhelpers.evaluation.report import RankingScores


class Checklist:
    """Findings as they come in, what was looked for, and what could not be."""

    def __init__(self, parts: AuditedParts, maps: dict[str, Mapped | None]) -> None:
        self.parts, self.maps = parts, maps
        self.findings: list[Finding] = []
        self.checked: list[str] = []
        self.notes: list[str] = []

    def _take(self, found: Iterator[Finding], *names: str) -> None:
        self.findings += found
        self.checked += names

    def rows(
        self, maps: dict[str, list[Mapped]], *, split: split_faults.Split, repeats_allowed: bool
    ) -> None:
        """Ids, overlaps, times and ratings of the parts."""
        parts = self.parts
        found = id_faults.own_mapping(parts, users=maps["user"], items=maps["item"])
        self._take(found, "own_mapping")
        self._take(id_faults.type_clash(parts), "id_types_differ")
        for side in SIDES:
            if self.maps[side] is not None and not parts.type_clash[side] and not parts.indexed:
                found = id_faults.unknown_ids(parts, side, self.maps[side])
                self._take(found, "unknown_ids")
            self.notes += id_faults.untrained_note(parts, side)
        if not repeats_allowed:
            names = ("test_in_training", "valid_in_training", "test_for_selection")
            self._take(split_faults.overlaps(parts), *names)
            self._take(split_faults.repeats_within(parts), "repeated_rows")
        if split_faults.has_times(parts):
            self._take(split_faults.times(parts, split), "random_split")
            if split == "global_time":
                self.checked.append("future_of_others")
            else:
                self.notes += split_faults.future_note(parts)
        else:
            self.notes.append("without timestamp in all parts, order in time was not checked")
        self._take(split_faults.rescaled(parts), "ratings_rescaled")

    def metadata(
        self,
        item_metadata: pd.DataFrame | None,
        user_metadata: pd.DataFrame | None,
        features: pd.DataFrame | NDArray[Any] | Tensor | None,
    ) -> None:
        """What is known about items and users."""
        parts = self.parts
        truth = {
            "item": None if item_metadata is None else metadata_faults.by_id(item_metadata, "item"),
            "user": None if user_metadata is None else metadata_faults.by_id(user_metadata, "user"),
        }
        if features is not None:
            index = parts.indices("item", self.maps["item"])
            if index is None:
                raise ValueError("features are by item index: pass items=, the map to indices")
            found = metadata_faults.rows_misaligned(
                features, ids=parts.ids["item"], index=index, truth=truth["item"]
            )
            self._take(found, "metadata_misaligned")
            inside = (index >= 0) & (index < len(features))
            rows = metadata_faults.named_columns(features, truth["item"]).iloc[index[inside]]
            rows = rows.drop(columns="item_id", errors="ignore")
            rows = rows.set_axis(parts.ids["item"][inside], axis=0)
            found = metadata_faults.features_with_test(parts, "item", rows)
            self._take(found, "features_contain_test")
        for side, table in truth.items():
            if table is not None:
                found = metadata_faults.features_with_test(parts, side, table)
                self._take(found, "features_contain_test")

    def lists(
        self,
        lists: pd.DataFrame | RankingScores | None,
        per_user: pd.DataFrame | RankingScores | None,
        seen: Rows | None,
        *,
        metadata: pd.DataFrame | None,
        masked: bool,
    ) -> None:
        """What was recommended, and who is in the mean."""
        if lists is not None:
            listed = list_faults.lists_of(self.parts, lists, self.maps)
            if masked:
                found = list_faults.seen_listed(listed, self.parts, self._keys(seen))
                self._take(found, "seen_listed")
            self._take(list_faults.list_repeats(listed), "list_repeats")
            self._take(list_faults.ties_in_lists(listed, self.parts), "ties_favor_positives")
            if metadata is not None and "title" in listed.frame and "title" in metadata:
                truth = metadata_faults.by_id(metadata, "item")
                found = metadata_faults.titles_misaligned(listed.frame, truth)
                self._take(found, "metadata_misaligned")
            if per_user is None:
                found = list_faults.measured_users(self.parts, listed.users, averaged=False)
                self._take(found, "users_left_out")
        else:
            self.notes.append("without lists, masking of seen items was not checked")
        if per_user is not None:
            users = self._measured(per_user)
            found = list_faults.measured_users(self.parts, users, averaged=True)
            self._take(found, "users_without_test", "users_left_out")

    def candidates(
        self, given: pd.DataFrame | Tensor | NDArray[Any] | None, seen: Rows | None
    ) -> list_faults.Lists | None:
        """What a sampled metric ranks."""
        if given is None:
            return None
        drawn = list_faults.candidates_of(self.parts, given, self.maps)
        found = list_faults.candidates_with_positives(drawn, self.parts, self._keys(seen))
        self._take(found, "candidates_hold_positives")
        return drawn

    def scores(
        self,
        model: Recommender | None,
        evaluate: score_faults.Evaluate | None,
        refit: Callable[[], Recommender] | None,
        *,
        k: int,
        candidates: list_faults.Lists | None,
    ) -> None:
        """What the model says, and what the metric says of a model that says nothing."""
        if model is None and evaluate is None:
            self.notes.append("without model and evaluate, scores and ties were not checked")
            return
        data = self._indexed(model)
        if data is None:
            self.notes.append(
                "model and evaluate were not checked: pass users= and items=, the maps from ids "
                "to the rows of the model"
            )
            return
        if model is not None:
            self._take(score_faults.model_saw_test(model, data), "model_saw_test")
            self._take(score_faults.scores_with_target(model, data), "scores_contain_target")
        if model is not None and refit is not None:
            found = score_faults.better_than_anew(model, refit, data)
            self._take(found, "model_saw_test")
        elif model is not None:
            self.notes.append("without refit, training on test rows was not checked")
        if evaluate is not None:
            found = score_faults.ties_in_metric(evaluate, data, k=k, candidates=candidates)
            self._take(found, "ties_favor_positives")

    def _indexed(self, model: Recommender | None) -> score_faults.Indexed | None:
        """The parts by the indices of a model, if these are known."""
        users, items = (self.parts.indices(side, self.maps[side]) for side in SIDES)
        if users is None or items is None:
            return None
        sizes = [
            len(one) if isinstance(one, Vocabulary) else int(index.max()) + 1
            for one, index in zip(self.maps.values(), (users, items), strict=True)
        ]
        train = self.parts.given["train"]
        if isinstance(train, Interactions):
            sizes = [max(sizes[0], train.n_users), max(sizes[1], train.n_items)]
        if isinstance(model, HasSizes):
            limits = model.n_users, model.n_items
            given = score_faults.Indexed(self.parts, users, items, *limits)
            found = score_faults.beyond_the_model(given, n_users=limits[0], n_items=limits[1])
            self._take(found, "unknown_ids")
            users, items = (
                np.where(index < limit, index, -1)
                for index, limit in zip((users, items), limits, strict=True)
            )
            sizes = [max(min(sizes[n], limits[n]), limits[n] - 1) for n in (0, 1)]
        return score_faults.Indexed(self.parts, users, items, sizes[0], sizes[1])

    def _keys(self, seen: Rows | None) -> Ints | None:
        """Pairs that users had besides those of the parts."""
        if seen is None:
            return None
        frame, indexed = as_frame(seen, name="seen")
        frame = list_faults.with_ids(self.parts, frame, self.maps) if indexed else frame
        users = self.parts.encoded(frame["user_id"], "user")
        keys = self.parts.keys_of(users, self.parts.encoded(frame["item_id"], "item"))
        known: Ints = keys[keys >= 0]
        return known

    def _measured(self, per_user: pd.DataFrame | RankingScores) -> Ints:
        """Users of a result, as codes of the parts."""
        table = per_user.per_user if isinstance(per_user, RankingScores) else per_user
        if "user_id" in table.columns:
            return self.parts.encoded(table["user_id"], "user")
        if "user_idx" not in table.columns:
            raise ValueError(f"per_user must have user_id or user_idx, got {list(table.columns)}")
        frame = table[["user_idx"]].rename(columns={"user_idx": "user_id"})
        frame = list_faults.with_ids(self.parts, frame, self.maps)
        return self.parts.encoded(frame["user_id"], "user")
