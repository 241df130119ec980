"""What Invoke loads: the commands of ``venue_access/commands/surface.py``."""

from __future__ import annotations

from venue_access.cli.surface import namespace

__all__ = ["namespace"]
