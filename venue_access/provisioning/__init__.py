"""Provision venues with Terraform, and rotate their external IDs.

Read ``provision.py`` first, then ``stack_provisioner.py``: one stack from snapshot to verification.
"""
