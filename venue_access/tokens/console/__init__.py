"""Sign in to the AWS console with short-term credentials: a URL that does it."""
