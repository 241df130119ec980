"""What Invoke loads: the commands of ``venue_access/cli/program.py``."""

from __future__ import annotations

import sys

from venue_access.cli.program import collection

namespace = collection(sys.argv)
