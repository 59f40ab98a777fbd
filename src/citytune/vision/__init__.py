"""Read pictures of cameras: how many vehicles, how full, jam or free; with intervals."""

from citytune.vision._count import Watching, count, watch
from citytune.vision._frame import PictureFrame
from citytune.vision._learn import ARTICLE
from citytune.vision._model import VisionModel, load_vision
from citytune.vision._read import FOLDER, picture_files, read_pictures
from citytune.vision._readings import Readings
from citytune.vision._report import report, summary, write_run
from citytune.vision._scores import GroupScore, VisionScores
from citytune.vision._steps import STEPS
from citytune.vision._tune import VisionStrategy, tune_vision

__all__ = [
    "ARTICLE",
    "FOLDER",
    "GroupScore",
    "PictureFrame",
    "Readings",
    "STEPS",
    "VisionModel",
    "VisionScores",
    "VisionStrategy",
    "Watching",
    "count",
    "load_vision",
    "picture_files",
    "read_pictures",
    "report",
    "summary",
    "tune_vision",
    "watch",
    "write_run",
]
