"""The adapter to boto3: a typed client for each account and region, and AWS's refusals as the kit's errors.

Read ``client`` first, then ``sessions``, which makes a client for each venue's account.
"""
