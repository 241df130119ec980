"""The operator's own AWS accounts: where their credentials are, MFA sessions, a role's token, profiles.

Read ``sources`` first: it finds the accounts that the other modules work with.
"""
