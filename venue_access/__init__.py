"""Provision the AWS role that gives people without an account access to a venue, and issue tokens for it."""

__version__ = "0.1.0"
