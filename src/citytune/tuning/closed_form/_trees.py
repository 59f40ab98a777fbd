"""Boosted trees as tensors: grown by LightGBM, asked and saved without it.

A tree grown by LightGBM (Ke et al. 2017) is a few hundred numbers. Kept as tensors it needs no
package to forecast with, and whatever a file holds can only be numbers: children come after their
parents, so that every walk ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from citytune._graph import exporting
from citytune.windows import Axes

LEAVES = 24
"""Most leaves of a tree …"""
LEAST_ROWS = 120
"""… and the fewest rows in each."""
ROUNDS = 120
"""Trees."""
LIGHTGBM_SETTINGS: dict[str, Any] = {
    "objective": "l1",
    "learning_rate": 0.1,
    "num_leaves": LEAVES,
    "max_bin": 63,
    "bin_construct_sample_cnt": 20_000,
    "min_data_in_leaf": LEAST_ROWS,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "use_missing": False,  # so that a walk need not know of it
    "seed": 0,
    # Its threads wait for each other without rest: two of them on two busy cores took thirty
    # times as long as one.
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
ROWS_AT_ONCE = 256
"""Rows that walk down the trees at a time."""


def lightgbm_here() -> bool:
    """Whether LightGBM can be imported."""
    try:
        import lightgbm  # noqa: F401
    except (ImportError, OSError):  # OSError: its OpenMP library is missing
        return False
    return True


class _Paths(NamedTuple):
    """The ways from the roots to the leaves."""

    feature: Tensor  # (tree, inner) asked at each inner node
    threshold: Tensor  # (tree, inner)
    steps: Tensor  # (tree, leaf, inner): 1 goes left there, -1 right, 0 does not come there
    right: Tensor  # (tree, leaf) steps to the right
    length: Tensor  # (tree, leaf) steps; no number for a place that is no leaf
    value: Tensor  # (tree, leaf)

    @classmethod
    def of(cls, trees: Trees) -> Self:
        """Follow the ways from the root on; what no way leads to is left out."""
        shape, own = trees.feature.shape, torch.arange(trees.feature.shape[1])
        ways, reached = torch.zeros(*shape, shape[1]), torch.zeros(shape, dtype=torch.bool)
        tree = torch.arange(shape[0])
        reached[:, 0] = True
        for node in own.tolist():
            some = tree[(trees.left[:, node] != node) & reached[:, node]]
            for child, sign in ((trees.left[some, node], 1.0), (trees.right[some, node], -1.0)):
                ways[some, child] = ways[some, node]
                ways[some, child, node] = sign
                reached[some, child] = True
        leaf = (trees.left == own) & reached
        leaves, inner = _first(leaf), _first(~leaf & reached)
        ways = ways[tree[:, None, None], leaves[..., None], inner[:, None]]
        return cls(
            trees.feature.gather(1, inner),
            trees.threshold.gather(1, inner),
            ways,
            (ways < 0).sum(-1).float(),
            ways.abs().sum(-1).masked_fill(~leaf.gather(1, leaves), torch.nan),
            trees.value.gather(1, leaves),
        )


def _first(some: Tensor) -> Tensor:
    """(tree, place) the nodes that `some` (tree, node) bool marks, filled up with others."""
    return (~some).to(torch.uint8).argsort(stable=True, dim=1)[:, : int(some.sum(1).max())]


@dataclass(frozen=True, eq=False)
class Trees:
    """A sum of decision trees; every axis is (tree, node), and a leaf is its own child."""

    features: int
    """How many features a row has."""
    feature: Annotated[Tensor, Axes("any", "any", dtype=torch.long)]
    """Which feature is asked."""
    threshold: Annotated[Tensor, Axes("any", "any")]
    """To the left goes what is not above it."""
    left: Annotated[Tensor, Axes("any", "any", dtype=torch.long)]
    right: Annotated[Tensor, Axes("any", "any", dtype=torch.long)]
    value: Annotated[Tensor, Axes("any", "any")]
    """Of a leaf."""

    def __post_init__(self) -> None:
        shape, own = self.feature.shape, torch.arange(self.feature.shape[1])
        rest = (self.threshold, self.left, self.right, self.value)
        if any(part.shape != shape for part in rest) or not shape.numel():
            raise ValueError("the parts of the trees are not of one size")
        if shape[0] > ROUNDS or shape[1] > 2 * LEAVES - 1:
            raise ValueError("the trees are more, or larger, than any that are grown here")
        if not bool(self.value.isfinite().all()):
            raise ValueError("a leaf of the trees is no number")
        leaf = (self.left == own) & (self.right == own)
        inner = (self.left > own) & (self.right > own)
        inside = (self.left < shape[1]) & (self.right < shape[1])
        asked = (self.feature >= 0) & (self.feature < self.features)
        if not bool(((leaf | inner) & inside & asked).all()):
            raise ValueError("the trees are none: a node leads back, or nowhere")

    def __call__(self, rows: Tensor) -> Tensor:
        """(row,) sums over trees of the leaves that rows (row, feature) fall into."""
        if exporting():
            return self._sums(rows)
        return torch.cat([rows.new_empty(0), *map(self._sums, rows.split(ROWS_AT_ONCE))])

    def _sums(self, rows: Tensor) -> Tensor:
        """All questions are asked at once: a row is in the leaf whose whole path it agrees to."""
        paths = self._paths
        asked = rows.T[paths.feature.flatten()].view(*paths.feature.shape, rows.shape[0])
        below = (asked <= paths.threshold[..., None]).float()  # (tree, inner, row)
        agreed = torch.bmm(paths.steps, below) + paths.right[..., None]
        there = agreed == paths.length[..., None]  # (tree, leaf, row)
        return (paths.value[..., None] * there).sum((0, 1))

    @cached_property
    def _paths(self) -> _Paths:
        return _Paths.of(self)

    @classmethod
    def grow(cls, rows: Tensor, target: Tensor, weight: Tensor) -> Self:
        """Trees that lower the mean absolute error of `target` (row,).

        Args:
            rows: (row, feature), without NaN.
            target: (row,), without NaN.
            weight: (row,) how much each counts.
        """
        import lightgbm

        data = lightgbm.Dataset(
            rows.numpy(), target.numpy(), weight=weight.numpy(), params=LIGHTGBM_SETTINGS
        )
        grown = lightgbm.train(LIGHTGBM_SETTINGS, data, num_boost_round=ROUNDS)
        found = [_nodes(one["tree_structure"]) for one in grown.dump_model()["tree_info"]]
        return cls._of(found or [[_LEAF]], rows.shape[1])

    @classmethod
    def _of(cls, found: list[list[tuple[int, float, int, int, float]]], features: int) -> Self:
        """Trees as lists of nodes, filled up with leaves that nobody comes to."""
        size = max(map(len, found))
        full = [[*one, *((0, 0.0, i, i, 0.0) for i in range(len(one), size))] for one in found]
        feature, threshold, left, right, value = (
            np.array([[node[k] for node in one] for one in full]) for k in range(5)
        )
        return cls(
            features,
            torch.from_numpy(feature),
            torch.from_numpy(_not_above(threshold)),
            torch.from_numpy(left),
            torch.from_numpy(right),
            torch.from_numpy(value.astype(np.float32)),
        )


_LEAF = (0, 0.0, 0, 0, 0.0)


def _nodes(root: dict[str, Any]) -> list[tuple[int, float, int, int, float]]:
    """(feature, threshold, left, right, value) of every node, each before its children."""
    found: list[tuple[int, float, int, int, float]] = []

    def visit(node: dict[str, Any]) -> int:
        place = len(found)
        found.append((0, 0.0, place, place, float(node.get("leaf_value", 0.0))))
        if "split_feature" in node:
            left, right = visit(node["left_child"]), visit(node["right_child"])
            found[place] = (node["split_feature"], float(node["threshold"]), left, right, 0.0)
        return place

    visit(root)
    return found


def _not_above(threshold: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, Any]:
    """The largest single-precision numbers not above `threshold`, which split rows the same way."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
