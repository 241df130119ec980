"""The AWS emulator: MiniStack on this machine, with the resources that accounts at AWS already have.

Read ``seed`` first: ``EmulatedAccounts`` gives ``aws.sessions`` an endpoint and credentials; ``server`` is the process.
"""
