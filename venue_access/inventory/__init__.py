"""Read an Ansible-style YAML inventory into frozen ``Venue`` and ``Recipient`` values.

Start with ``schema``, which declares the variables; ``loader`` reads the files, and ``venues`` builds the venues.
"""
