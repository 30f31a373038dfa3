"""``python -m converge``."""

import os
import sys

# Python puts the current folder first, where anybody's rich.py would be imported in place of the real one.
if not sys.flags.safe_path and sys.path[0] != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
    del sys.path[0]

from converge.cli import main

sys.exit(main())
