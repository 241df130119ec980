"""``invoke`` with the console of every region at a sign-in service of the tests': ``python -m ... URL invoke's own``.

Only from inside the program can it be led to another host: there is no setting for it, which would be a way to have
credentials sent elsewhere.
"""

from __future__ import annotations

import sys
from unittest.mock import patch

from invoke.main import program

from venue_access.tokens.console import session
from venue_access.tokens.console.site import Site

if __name__ == "__main__":
    url = sys.argv.pop(1)
    session.check_has_console = lambda venue, variables: None
    sys.argv[0] = "invoke"
    with patch.object(Site, "federation", url):
        program.run()
