"""The promise: the ImageNet networks are the real ones, and see the latest days bottom right."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from citytune.backbones import _efficientnet, _resnet, load_backbone, missing
from citytune.backbones._picture import picture_features
from citytune.backbones._picture_fold import fold
from citytune.backbones._weights import find_weights

SHARED = Path(__file__).parents[2] / "shared"
IMAGES = SHARED / "data" / "images" / "vehicle_count_topview.parquet"
MEAN = torch.tensor([123.68, 116.779, 103.939])[:, None, None]

ON_ROADS = {
    403,  # aircraft carrier
    *(407, 436, 468, 511, 555, 569, 575, 581, 586, 609, 627, 654, 656, 661, 665),  # vehicles
    *(670, 675, 705, 717, 734, 751, 757, 779, 802, 803, 817, 829, 864, 867, 874),  # vehicles
    *(466, 547, 565, 705, 820, 829),  # trains, trams, snowploughs
    *(525, 703, 718, 821, 839, 888, 920),  # dam, bench, pier, bridges, traffic light
}
"""ImageNet classes one meets on and beside a road."""


@pytest.fixture(autouse=True)
def shared_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    if (SHARED / "weights").is_dir():
        monkeypatch.setenv("CITYTUNE_WEIGHTS", str(SHARED / "weights"))


@pytest.fixture
def released() -> dict[str, Tensor]:
    """ResNet-50's weights under torchvision's names."""
    if "resnet50" in missing():
        pytest.skip("the weights of resnet50 are not on this machine")
    from safetensors.torch import load_file

    file = find_weights(_resnet.CARD)[_resnet.FILE]
    return {name: weight.float() for name, weight in load_file(file).items()}


def their_name(name: str) -> str:
    """What transformers calls a weight of torchvision's ResNet."""
    stage = r"resnet.encoder.stages.\1.layers.\2."
    for torchvision, transformers in (
        (r"^(conv|bn)1\.", r"resnet.embedder.embedder.\1."),
        (r"^layer(\d)\.(\d)\.downsample\.0\.", stage + "shortcut.conv."),
        (r"^layer(\d)\.(\d)\.downsample\.1\.", stage + "shortcut.bn."),
        (r"^layer(\d)\.(\d)\.(conv|bn)(\d)\.", stage + r"layer.\4.\3."),
        (r"^fc\.", "classifier.1."),
        (r"\.conv\.", ".convolution."),
        (r"\.bn\.", ".normalization."),
    ):
        name = re.sub(torchvision, transformers, name)
    return re.sub(
        r"\b(stages|layer)\.(\d)\.", lambda found: f"{found[1]}.{int(found[2]) - 1}.", name
    )


def reference(released: dict[str, Tensor], *, v1: bool) -> Any:
    """The whole network with its 1,000 classes, by transformers; all weights must find a place."""
    transformers = pytest.importorskip("transformers", reason="the reference is not installed")
    config = transformers.ResNetConfig(num_labels=1000, downsample_in_bottleneck=v1)
    network = transformers.ResNetForImageClassification(config)
    weights = {their_name(name): weight for name, weight in released.items()}
    assert len(weights) == len(released) == 320
    network.load_state_dict(weights)
    return network.eval()


def test_our_resnet_is_the_v1_network_and_no_other(released: dict[str, Tensor]) -> None:
    grey = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    colours = 255 * grey.expand(-1, 3, -1, -1) - MEAN
    network = load_backbone("resnet50").network
    with torch.inference_mode():
        ours = network(grey)
        v1, later = (
            reference(released, v1=v1).resnet(colours, output_hidden_states=True).hidden_states
            for v1 in (True, False)
        )
    for depth, seen in enumerate(ours):
        torch.testing.assert_close(seen, v1[depth], rtol=1e-3, atol=1e-3)
    assert (ours[-1] - later[len(ours) - 1]).abs().max() > 0.5


@pytest.mark.extras
def test_the_v1_graph_recognises_roads_from_above(released: dict[str, Tensor]) -> None:
    image = pytest.importorskip("PIL.Image", reason="pillow, to decode pictures, is not installed")
    if not IMAGES.is_file():
        pytest.skip("../shared/data is not here")
    import numpy as np
    import polars as pl

    files = pl.read_parquet(IMAGES, columns=["jpeg"])["jpeg"][:600:50]
    pictures = [image.open(io.BytesIO(file)).convert("RGB").resize((224, 224)) for file in files]
    colours = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() - MEAN
    with torch.inference_mode():
        v1, later = (reference(released, v1=v1)(colours).logits.softmax(1) for v1 in (True, False))
    known = [int(best) in ON_ROADS for best in v1.argmax(1)]
    assert sum(known) >= 0.7 * len(known)
    assert v1.amax(1).mean() > later.amax(1).mean()


def test_efficientnet_keeps_the_released_weights() -> None:
    if "efficientnet-lite0" in missing():
        pytest.skip("the package with the weights is not installed")
    whole = _efficientnet.whole_network(pixels=64)
    grey = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    mean, spread = _efficientnet.MEAN, _efficientnet.SPREAD
    colours = (grey - _efficientnet.colour(mean, grey)) / _efficientnet.colour(spread, grey)
    seen = whole._swish(whole._bn0(whole._conv_stem(colours)))
    network = load_backbone("efficientnet-lite0").network
    with torch.inference_mode():
        for block in whole._blocks[: _efficientnet.STAGES[-1]]:
            seen = block(seen)
        torch.testing.assert_close(network(grey)[-1], seen, rtol=1e-3, atol=1e-4)


def picture(value: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """28 days of hours whose value is a function of (day, hour), folded."""
    day, hour = torch.meshgrid(torch.arange(28.0), torch.arange(24.0), indexing="ij")
    return fold(value(day, hour).reshape(1, -1), 24, pixels=64)[0, 0]


def test_a_daily_cycle_is_a_vertical_stripe() -> None:
    seen = picture(lambda _, hour: (hour >= 12).float())
    torch.testing.assert_close(seen, seen[:1].expand_as(seen), rtol=0, atol=1e-4)
    assert seen[0, 0] < 0.5 < seen[0, -1]


def test_the_latest_day_is_at_the_bottom() -> None:
    seen = picture(lambda day, _: (day == 27).float())
    assert seen[-1].min() > 0.8
    assert seen[:60].max() < 0.5


def test_a_window_of_a_day_and_a_half_shows_its_last_day() -> None:
    values = torch.arange(36.0)[None]
    seen = fold(values, 24, pixels=24)[0, 0]
    assert (seen[0].diff() >= 0).all()
    torch.testing.assert_close(seen[0], seen[-1])


def test_a_coarse_clock_is_folded_by_the_week() -> None:
    sundays = (torch.arange(26 * 7) % 7 == 6).float()[None]
    seen = fold(sundays, 1, pixels=64)[0, 0]
    torch.testing.assert_close(seen, seen[:1].expand_as(seen), rtol=0, atol=1e-4)
    assert seen[0, -1] > 0.7 > 0.5 > seen[0, 0]


def test_a_constant_window_is_grey() -> None:
    seen = fold(torch.full((1, 672), 3.0), 24, pixels=8)
    torch.testing.assert_close(seen, torch.full((1, 1, 8, 8), 0.5))


def test_features_are_the_last_week_in_parts_of_the_day() -> None:
    seen = torch.zeros(1, 2, 8, 8)
    seen[0, 1, 6:, 4:] = 1  # the last quarter of days, the later half of the day
    found = picture_features([seen], columns=4)
    assert found.tolist() == [[0, 0, 0, 0, 0, 0, 1, 1]]
