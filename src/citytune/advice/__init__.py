"""Which pretrained model and which strategy for this city, and why, in words."""

from citytune.advice._candidate import Choice
from citytune.advice._choose import choose, choose_with
from citytune.advice._recommend import recommend, recommend_with
from citytune.advice._recommendation import Recommendation

__all__ = ["Choice", "Recommendation", "choose", "choose_with", "recommend", "recommend_with"]
