"""The commands: each reads its flags, calls one function and shows the result.

What a command needs is imported by it, so that none pays for another's packages.
"""

import gc

# A command is short: collecting garbage while it imports takes a tenth of its time, and there is none.
gc.set_threshold(100_000)
