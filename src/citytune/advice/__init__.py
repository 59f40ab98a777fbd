"""Which pretrained model and which strategy for this city, and why, in words."""

from citytune.advice._choose import choose
from citytune.advice._recommend import recommend
from citytune.advice._recommendation import Choice, Recommendation
from citytune.advice._relevance import daily_share

__all__ = ["Choice", "Recommendation", "choose", "daily_share", "recommend"]
