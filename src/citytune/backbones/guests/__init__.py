"""Networks that others made and released, each behind a short adapter; importing puts them there.

None of their packages is imported before one of them is used.
"""

from citytune.backbones.guests import (  # noqa: F401 - importing them puts them on the shelf
    _chronos,
    _chronos2,
    _chronos_t5,
    _flowstate,
    _moirai,
    _moment,
    _tabpfn,
    _timesfm,
    _tirex,
    _toto,
    _ttm,
    _ttm3,
)
from citytune.backbones.guests._kind import Kind, add_kind

__all__ = ["Kind", "add_kind"]
