"""Granite TinyTimeMixer of any lengths: the releases besides `ttm-r2`, and folders of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from citytune._errors import MissingWeights
from citytune.backbones._families import Family, register_family
from citytune.backbones._mixer import CONTEXT, HORIZON, Sizes, read_weights, sizes_of, unlike
from citytune.backbones._protocol import COARSE, Backbone, Card
from citytune.backbones._ttm import CARD as USUAL
from citytune.backbones._ttm import TtmBackbone
from citytune.backbones.guests._kind import WEIGHTS, Config, Kind, add_kind, read_config, released

HUB = "ibm-granite/granite-timeseries-ttm-r2"
FAMILY = "ttm"
PARAMETERS = {512: 1_000_000, 1024: 4_000_000, 1536: 5_000_000}
"""Context → weights, as the paper rounds them; a loaded one is counted."""
HORIZONS = (96, 192, 336, 720)
COARSE_LENGTHS = ((52, 16), (90, 30), (180, 60), (360, 60), (512, 48), (512, 96))
"""Past and steps ahead of those that are told the clock, which a coarse one needs."""
PASTS_IN_HISTORY = 2
"""How many times its past must fit into the history: the second half then has whole windows."""
MAY_BE_ZERO = ("levels", "clocks", "raw", "epsilon")

COMMON: dict[str, Any] = {
    "title": "TinyTimeMixer, a small forecaster pretrained on many kinds of series",
    "licence": USUAL.licence,
    "trained_on": USUAL.trained_on,
    "source": USUAL.source,
    "max_examples": USUAL.max_examples,
    "get": "",
}


def _sizes(config: Config) -> Sizes:
    if what := unlike(config):
        raise MissingWeights(
            f"a TinyTimeMixer with {what} is none that is known here: ask it with granite-tsfm, "
            "through citytune.backbones.from_torch or from_forecaster"
        )
    try:
        sizes = sizes_of(config)
    except KeyError as error:
        raise MissingWeights(
            f"the config.json of a TinyTimeMixer lacks {error}; get it anew"
        ) from (error)
    counts = {name: n for name, n in asdict(sizes).items() if name not in MAY_BE_ZERO}
    odd = {name: n for name, n in counts.items() if type(n) is not int or n < 1}
    if odd or sizes.context <= sizes.patch:
        raise MissingWeights(
            f"the config.json of a TinyTimeMixer has sizes that no network has ({odd or counts}); "
            "get it anew"
        )
    return sizes


def facts(config: Config) -> dict[str, Any]:
    """What a config says of the card of a TinyTimeMixer."""
    sizes = _sizes(config)
    return {
        "context": sizes.context,
        "horizon": config.get("prediction_filter_length") or sizes.horizon,
        "features": sizes.patches * sizes.state,
    }


def _make(card: Card, folder: Path) -> Backbone:
    config = read_config(folder)
    try:
        network = read_weights(load_file(folder / WEIGHTS), _sizes(config))
    except ValueError as error:
        raise MissingWeights(
            f"{folder / WEIGHTS} has other weights than its config.json says: {error} Get both anew"
        ) from error
    weights = sum(weight.numel() for weight in network.parameters())
    return TtmBackbone(network, replace(card, **facts(config), parameters=weights))


def _card(name: str, branch: str, context: int, horizon: int, told: str = "") -> Card:
    return released(
        COMMON,
        name=name,
        title=f"TinyTimeMixer, {context} steps of past to {horizon} ahead{told}",
        parameters=PARAMETERS.get(context, PARAMETERS[512]),
        context=context,
        horizon=horizon,
        features=0,  # only its config says
        hub=f"{HUB}@{branch}",
    )


FINE = {
    (context, horizon): _card(
        f"ttm-r2-{context}-{horizon}", f"{context}-{horizon}-r2", context, horizon
    )
    for context in PARAMETERS
    for horizon in HORIZONS
    if (context, horizon) != (CONTEXT, HORIZON)
}
"""Of minutes and hours, next to `ttm-r2`."""
TOLD = {
    lengths: _card(
        "ttm-r2.1-{}-{}".format(*lengths), "{}-{}-ft-l1-r2.1".format(*lengths), *lengths,
        ", told the clock, for days and coarser",
    )
    for lengths in COARSE_LENGTHS
}  # fmt: skip
MEMBERS: dict[tuple[int, int], Card] = {(CONTEXT, HORIZON): USUAL} | FINE


def pick(rows: int, horizon: int, steps_per_day: int) -> str:
    """The release with the longest past that fits, and of those the nearest that reaches."""
    among = TOLD if steps_per_day < COARSE else MEMBERS
    return among[fits_best(among, rows, horizon)].name


def fits_best(among: Iterable[tuple[int, int]], rows: int, horizon: int) -> tuple[int, int]:
    """The (past, steps ahead) of the release that suits a history and a horizon.

    One is taken whose past fits twice into the history, or the one with the shortest if none does;
    if none of them reaches the horizon, the one that looks furthest ahead, asked several times.
    """
    lengths = list(among)
    shortest = min(past for past, _ in lengths)
    fitting = [one for one in lengths if PASTS_IN_HISTORY * one[0] <= rows]
    fitting = fitting or [one for one in lengths if one[0] == shortest]
    reach = min(horizon, max(ahead for _, ahead in fitting))
    reaching = [one for one in fitting if one[1] >= reach]
    return min(reaching, key=lambda one: (-one[0], one[1]))


KIND = Kind("ttm", lambda config: config.get("model_type") == "tinytimemixer", facts, _make, COMMON)
add_kind(KIND, [*FINE.values(), *TOLD.values()])
register_family(
    FAMILY,
    Family(
        "TinyTimeMixer r2: the one whose lengths suit the history and the horizon",
        (*(card.name for card in MEMBERS.values()), *(card.name for card in TOLD.values())),
        pick,
    ),
)
