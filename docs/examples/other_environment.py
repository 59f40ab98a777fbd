"""A forecaster that cannot be installed next to citytune, asked in a Python of its own.

This file is run by both: by citytune's Python as it is, and by the other one with `answer`, which
needs numpy and the model's own package, and no citytune. The other one is started once, loads its
model once, and answers windows until the first one ends.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np

OTHER = os.environ.get("FORECASTER_PYTHON", sys.executable)
"""Such as toto-env/bin/python, of an environment made by `python -m venv toto-env`."""
LEVELS = (0.1, 0.5, 0.9)


def load() -> object:
    """Whatever loads the model, in the other Python; here there is none."""
    return None


def forecast(_model: object, past: np.ndarray, horizon: int) -> np.ndarray:
    """(window, time) to (window, horizon, level); here yesterday, more or less."""
    day = past[:, -24:][:, np.arange(horizon) % 24]
    spread = past.std(1)[:, None]
    return np.stack([day - spread, day, day + spread], -1)


def send(stream: BinaryIO, values: np.ndarray, horizon: int = 0) -> None:
    """The horizon and the shape in a line, then the numbers as they lie in memory."""
    stream.write(f"{horizon} {' '.join(map(str, values.shape))}\n".encode())
    stream.write(np.asarray(values, "<f8").tobytes())
    stream.flush()


def receive(stream: BinaryIO) -> tuple[int, np.ndarray] | None:
    """What was sent; None at the end."""
    if not (line := stream.readline()):
        return None
    horizon, *shape = map(int, line.split())
    values = np.frombuffer(stream.read(8 * int(np.prod(shape))), "<f8")
    return horizon, values.reshape(shape)


def answer() -> None:
    """In the other Python: windows and a horizon come in, quantiles go out."""
    answers = os.fdopen(os.dup(1), "wb")
    sys.stdout = sys.stderr  # what packages print must not get among the answers
    model = load()
    while asked := receive(sys.stdin.buffer):
        send(answers, forecast(model, asked[1], asked[0]))


def main() -> None:
    """In citytune's Python: ask the other one as if it were here."""
    import citytune as ct

    command = [OTHER, str(Path(__file__).resolve()), "answer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin
        assert other.stdout

        def ask(past: np.ndarray, horizon: int) -> np.ndarray:
            send(other.stdin, past, horizon)
            answered = receive(other.stdout)
            assert answered, "the other Python has ended; it says above why"
            return answered[1]

        name = ct.backbones.from_forecaster(ask, name="elsewhere", context=336, levels=LEVELS)
        frame = ct.read(ct.sample("traffic"), target="traffic_volume")
        model = ct.tune(
            frame.since(len(frame) - 28 * 24), horizon=24, backbone=name, strategy="zero-shot"
        )
        print(model.forecast(frame))
        other.stdin.close()


if __name__ == "__main__":
    answer() if sys.argv[1:] == ["answer"] else main()
