"""`python -m citytune` is the command `citytune`."""

import sys

from citytune.cli import main

sys.exit(main())
