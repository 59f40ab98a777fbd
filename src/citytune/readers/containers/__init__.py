"""From bytes to one table of named columns: one module for each kind of file."""

from citytune._registry import import_all

import_all(__name__)  # each registers the kind it reads
