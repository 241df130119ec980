"""Proof, on demand, that a venue's role grants what it should and nothing else."""
