"""The AWS emulator: MiniStack on this machine, with the resources that accounts at AWS already have.

Read ``server`` first: ``aws.sessions`` starts it and gets its endpoint and credentials; ``seed`` creates the resources.
"""
