"""Networks that others made and released, each behind a short adapter; importing puts them there.

None of their packages is imported before one of them is used.
"""

from citytune._registry import import_all
from citytune.backbones.guests._kind import Kind, add_kind

import_all(__name__)

__all__ = ["Kind", "add_kind"]
