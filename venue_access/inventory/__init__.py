"""From an Ansible-style YAML inventory to frozen ``Venue`` and ``Recipient`` values."""
