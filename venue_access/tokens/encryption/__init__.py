"""Encrypt tokens and external IDs to their recipients, as age files or S/MIME messages.

Read ``delivery`` first: it finds the recipient's keys, encrypts a bundle to them, and writes the file.
"""
