"""The ledger: records of what was issued, refused, delivered, revoked and rotated, without any credential.

Read ``book`` first, then ``chain``: a ledger's records are a hash chain in a local file or in S3.
"""
