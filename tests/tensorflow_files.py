"""Files of TensorFlow's, made and saved by TensorFlow and Keras, and what these answer themselves.

python tensorflow_files.py FOLDER        a process of its own: Keras has one backend for each
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

CONTEXT, HORIZON, LEVELS = 96, 24, 3


def main(folder: Path) -> None:
    """Write the files, and `expected.npz` with the answers of each to `shown`."""
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    shown = np.random.default_rng(0).normal(size=(6, CONTEXT)).astype(np.float32)
    shown = (shown - shown.mean(1, keepdims=True)) / shown.std(1, keepdims=True)
    expected: dict[str, Any] = {"shown": shown}

    def keep(name: str, answers: Any) -> None:
        for output, found in answers.items():
            expected[f"{name}:{output}"] = np.asarray(found)

    entry = keras.Input((CONTEXT,), name="past")
    body = keras.layers.Dense(8, activation="tanh", name="body")(entry)
    head = keras.layers.Dense(HORIZON, name="head")(body)
    points = keras.Model(entry, head)
    points.export(folder / "points", verbose=False)
    keep("points", {"output_0": points(shown)})

    both = keras.Model(entry, {"ahead": head, "body": body})
    both.export(folder / "both", verbose=False)
    keep("both", both(shown))

    axis = keras.Input((CONTEXT, 1))
    wide = keras.layers.Conv1D(4, 5, padding="same", activation="relu")(axis)
    wide = keras.layers.Dense(HORIZON * LEVELS)(keras.layers.Flatten()(wide))
    quantiles = keras.Model(axis, keras.layers.Reshape((HORIZON, LEVELS))(wide))
    quantiles.export(folder / "quantiles", verbose=False)
    keep("quantiles", {"output_0": quantiles(shown[..., None])})

    class Plain(tf.Module):
        """Two functions on one weight, without Keras."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(tf.random.normal((CONTEXT, HORIZON), dtype=tf.float64))

        @tf.function(input_signature=[tf.TensorSpec((None, CONTEXT), tf.float64)])
        def ahead(self, past):  # type: ignore[no-untyped-def]
            return {"ahead": past @ self.weight}

        @tf.function(input_signature=[tf.TensorSpec((2, CONTEXT), tf.float64)])
        def state(self, past):  # type: ignore[no-untyped-def]
            return {"state": tf.tanh(past @ self.weight)[:, None, :5]}

        @tf.function(input_signature=[tf.TensorSpec((None, CONTEXT), tf.float64)] * 2)
        def two(self, past, other):  # type: ignore[no-untyped-def]
            return {"ahead": (past + other) @ self.weight}

        @tf.function(input_signature=[tf.TensorSpec((None, CONTEXT), tf.int32)])
        def numbers(self, past):  # type: ignore[no-untyped-def]
            return {"ahead": past}

        @tf.function(input_signature=[tf.TensorSpec((None, None), tf.float32)])
        def any(self, past):  # type: ignore[no-untyped-def]
            return {"ahead": past[:, -HORIZON:]}

        @tf.function(input_signature=[tf.TensorSpec((None, CONTEXT, 5), tf.float32)])
        def several(self, past):  # type: ignore[no-untyped-def]
            return {"ahead": past[:, -HORIZON:, 0]}

    plain = Plain()
    names = ("ahead", "state", "two", "numbers", "any", "several")
    functions = {name: getattr(plain, name) for name in names}
    tf.saved_model.save(plain, folder / "plain", signatures=functions)
    keep("plain", plain.ahead(shown) | plain.state(shown[:2]))
    tf.saved_model.save(plain, folder / "nameless")

    @tf.function(input_signature=[tf.TensorSpec((None, CONTEXT), tf.float32)])
    def reading(past):  # type: ignore[no-untyped-def]
        size = tf.strings.length(tf.io.read_file("nowhere"))
        return {"ahead": past + tf.cast(size, tf.float32)}

    tf.saved_model.save(tf.Module(), folder / "code", signatures=reading)

    @tf.function(input_signature=[tf.TensorSpec((None, CONTEXT), tf.float32)])
    def writing(past):  # type: ignore[no-untyped-def]
        tf.print("written", output_stream=f"file://{folder}/printed")
        tf.raw_ops.SaveV2(prefix=f"{folder}/saved", tensor_names=["past"], shape_and_slices=[""],
                          tensors=[past])  # fmt: skip
        return {"ahead": past[:, -HORIZON:]}

    tf.saved_model.save(tf.Module(), folder / "writes", signatures=writing)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        past = tf.compat.v1.placeholder(tf.float32, (None, CONTEXT))
        weight = tf.compat.v1.get_variable("weight", (CONTEXT, HORIZON))
        session.run(tf.compat.v1.global_variables_initializer())
        for name, writes in (("old", False), ("old-writes", True)):
            saved = tf.raw_ops.Save(filename=f"{folder}/kept", tensor_names=["past"], data=[past])
            with tf.control_dependencies([saved] if writes else []):
                ahead = tf.identity(past @ weight)
            tf.compat.v1.saved_model.simple_save(
                session, str(folder / name), {"past": past}, {"ahead": ahead}
            )

    lite = tf.lite.TFLiteConverter
    (folder / "lite.tflite").write_bytes(lite.from_saved_model(str(folder / "both")).convert())
    whole = lite.from_saved_model(str(folder / "points"))
    whole.optimizations = [tf.lite.Optimize.DEFAULT]
    whole.representative_dataset = lambda: ([row[None]] for row in shown)
    whole.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    whole.inference_input_type = whole.inference_output_type = tf.int8
    (folder / "whole.tflite").write_bytes(whole.convert())
    concrete = tf.function(points).get_concrete_function(tf.TensorSpec((1, CONTEXT), tf.float32))
    unsigned = lite.from_concrete_functions([concrete])
    (folder / "unsigned.tflite").write_bytes(unsigned.convert())
    np.savez(folder / "expected.npz", **expected)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
