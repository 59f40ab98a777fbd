"""Write a tuned model as one ONNX file, sealed so that a file changed by hand is noticed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from citytune._errors import InputError
from citytune._files import check_file, new_file
from citytune.backbones.city import CityBackbone
from citytune.forecasting.graph._facts import facts_of, forward_of
from citytune.forecasting.graph._module import Asked, ForecastGraph
from citytune.tuning import COVARIATES, FineTuned

if TYPE_CHECKING:
    from citytune.forecasting._model import TunedModel

OPSET = 20
FACTS, SEAL = "citytune", "citytune_sha256"
"""Names under which the file says what it is, and the SHA-256 of all of it before that seal."""
OUTPUTS = ("forecast_mean", "forecast_quantiles", "forecast_point", "fallback")
TRIED_WITH = 3
"""Sensors of the example that the graph is made with; it takes any number."""
PROPERTIES = 14
"""Field of an ONNX model in which such names stand, in its protocol buffers."""


def export_onnx(
    model: TunedModel, path: str | Path, *, int8: bool = False, overwrite: bool = False
) -> Path:
    """See `TunedModel.export_onnx`."""
    path = Path(path)
    check_file(path, overwrite)
    check_exportable(model)
    _check_packages(int8=int8)
    with new_file(path, overwrite=overwrite) as draft:
        facts = facts_of(model, opset=OPSET, int8=False)
        draft.write_bytes(_sealed(_model_of(model).SerializeToString(), facts))
        if int8:
            in_eight_bits(draft, draft)
    return path


def check_exportable(model: TunedModel) -> None:
    """Refuse a model of which a graph would not forecast the same."""
    if faults := list(_faults(model)):
        raise InputError("this model cannot be exported to ONNX:\n" + "\n".join(faults))


def _faults(model: TunedModel) -> Iterator[str]:
    if not isinstance(model.backbone, CityBackbone):
        yield (
            f"  - only networks such as 'citytune-base' can be put into the graph, and this one is "
            f"{model.card.name!r}; tune anew with backbone='citytune-base'"
        )
    mixture = model.tuned.mixture
    ahead = [one for one in mixture.needed if COVARIATES in one.needs]
    for expert in ahead:
        share = max((row.get(expert.name, 0.0) for row in model.weights.values()), default=0.0)
        yield (
            f"  - {expert.name!r} ({expert.words}, up to {share:.0%} of the forecast) needs "
            f"{', '.join(map(repr, model.covariates))} ahead, which the graph is not given; tune "
            "anew without covariates, or with another strategy, such as strategy='last-blocks'"
        )
    for expert in mixture.needed:
        if isinstance(expert, FineTuned) and expert.has_quantiles and expert.lens != "plain":
            yield f"  - {expert.name!r} has quantiles of the lens {expert.lens!r}; tune anew"


def _check_packages(*, int8: bool) -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401

        if int8:
            import onnxruntime.quantization  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"a model is exported with the package {error.name or 'onnx'!r}, which is not "
            "installed: pip install 'citytune[onnx]'"
        ) from error


def _model_of(model: TunedModel) -> Any:
    """The ONNX model, without its description."""
    forward = forward_of(model)
    graph = ForecastGraph(model, forward).eval()
    asked = _example(model)
    with torch.no_grad(), _silence():
        graph(*asked)  # what is kept for later calls is made here, of real numbers
        count = torch.export.Dim("sensors", min=1, max=65_536)
        many = {0: count}
        shapes = (many, many, *[None] * 6, many)
        program = torch.export.export(graph, tuple(asked), dynamic_shapes=(shapes,), strict=False)
        made = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=list(Asked._fields),
            output_names=list(OUTPUTS),
        )
    assert made is not None, "it is made without a file"
    found = made.model_proto
    found.producer_name = "citytune"
    found.doc_string = "\n".join(model.words())
    return found


def _example(model: TunedModel) -> Asked:
    """Windows of the right shapes, for the making of the graph."""
    length, horizon = model.reach, model.spec.horizon
    count = TRIED_WITH
    time, day = torch.arange(length + horizon), model.clock.steps_per_day
    draw = torch.Generator().manual_seed(0)
    return Asked(
        past=torch.rand(count, length, generator=draw),
        measured=torch.ones(count, length, dtype=torch.bool),
        wall=time,
        weekday=time // day % 7,
        holiday=torch.zeros(length + horizon, dtype=torch.bool),
        season=torch.zeros(length + horizon, dtype=torch.bool),
        rows=torch.tensor(length),
        first=torch.tensor(0),
        sensor=torch.arange(count) % len(model.sensors),
    )


def in_eight_bits(source: Path, target: Path) -> Path:
    """Write an exported model again, its networks' weights in 8 bits.

    What they meet is quantised as it comes: dynamic quantisation of matrix products.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    made = onnx.load(source)
    facts = json.loads(next(one.value for one in made.metadata_props if one.key == FACTS))
    del made.metadata_props[:]
    before, after = (target.with_suffix(f".{part}.onnx") for part in ("float", "int8"))
    try:
        onnx.save(made, before)
        with _silence():
            quantize_dynamic(
                before, after, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"]
            )
        packed = onnx.load(after).SerializeToString()
    finally:
        for part in (before, after):
            part.unlink(missing_ok=True)
    target.write_bytes(_sealed(packed, facts | {"int8": True}))
    return target


def _sealed(packed: bytes, facts: dict[str, Any]) -> bytes:
    """The file: the model, what it says of itself, and a seal over both.

    Parts of protocol buffers one after the other are one message, so the seal can be the last.
    """
    text = json.dumps(facts, ensure_ascii=False, allow_nan=False)
    whole = packed + _entry(FACTS, text)
    return whole + _entry(SEAL, hashlib.sha256(whole).hexdigest())


def _entry(key: str, value: str) -> bytes:
    """A name and its value among the properties of an ONNX model."""
    pair = b"".join(_field(i, part.encode()) for i, part in ((1, key), (2, value)))
    return _field(PROPERTIES, pair)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    found = []
    while True:
        number, low = number >> 7, number & 127
        found.append(low | (128 if number else 0))
        if not number:
            return bytes(found)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Exporters log and warn of what is none of a person's business."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    loggers.append(logging.getLogger())
    before = [one.level for one in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in loggers:
            one.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for one, level in zip(loggers, before, strict=True):
                one.setLevel(level)
