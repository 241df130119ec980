"""The ledger: what was issued, refused, delivered, revoked and rotated, and never a credential in it."""
