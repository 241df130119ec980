"""The commands: each reads its flags, calls one function and shows the result.

What a command needs is imported by it, so that none pays for another's packages.
"""
