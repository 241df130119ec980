"""The operator's own long-term keys: where they are, MFA, and the sessions that follow from them."""
