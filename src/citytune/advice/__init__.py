"""Which pretrained model and which strategy for this city, and why, in words."""

from citytune.advice._choose import choose
from citytune.advice._recommend import recommend
from citytune.advice._recommendation import Choice, Recommendation

__all__ = ["Choice", "Recommendation", "choose", "recommend"]
