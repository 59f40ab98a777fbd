"""Keep a record of fits elsewhere: MLflow and TensorBoard."""

from citytune.callbacks._mlflow import MLflow
from citytune.callbacks._tensorboard import TensorBoard
from citytune.callbacks._tracker import Tracker

__all__ = [
    "MLflow",
    "TensorBoard",
    "Tracker",
]
