"""What Invoke loads: the commands of ``venue_access/cli/surface.py``."""

from __future__ import annotations

import sys

from venue_access.cli.surface import collection

namespace = collection(sys.argv)
