"""Packages that take TensorFlow wherever it is installed are told not to, before imported."""

from __future__ import annotations

import os

CHOICES = {"USE_TF": "0", "KERAS_BACKEND": "torch"}
"""What transformers and Keras go by."""


def prefer_torch() -> None:
    """Called before a package is imported that imports TensorFlow wherever it is installed.

    transformers would spend seconds on it for nothing. Keras, which TensorFlow imports, has one
    backend for each process; on another than torch its networks could not be tuned any more. What
    a person has set stays.
    """
    for name, value in CHOICES.items():
        os.environ.setdefault(name, value)
