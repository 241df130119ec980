"""Verify a venue: compare its live role with the inventory, and probe what a token of it can do.

Read ``verify`` first; ``report`` has the checks that the other modules return.
"""
