"""Issue tokens, deliver them, and revoke them.

Read ``issue`` first: ``issue_tokens`` is the path of a token from the request to its delivery. ``revoke`` is next.
"""
