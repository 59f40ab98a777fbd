"""Which pretrained model for this city, and why, in words."""

from citytune.advice._recommend import recommend
from citytune.advice._recommendation import Choice, Recommendation

__all__ = ["Choice", "Recommendation", "recommend"]
