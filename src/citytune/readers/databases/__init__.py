"""Tables and queries of databases: one module for each kind."""

from citytune._registry import import_all

import_all(__name__)  # each registers the kind it reads
