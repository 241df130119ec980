"""Check this machine, the inventory and the operator's credentials, and report what to correct.

Read ``doctor`` first, which runs the checks of ``checks``.
"""
