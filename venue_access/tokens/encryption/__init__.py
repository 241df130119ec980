"""Encryption: encrypting to one recipient what is handed to them, as age files or S/MIME messages."""
