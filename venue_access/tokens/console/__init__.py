"""Sign in to the AWS console with short-term credentials.

Read ``session`` first: it turns credentials into a URL; ``site`` knows each partition's hosts and pages.
"""
