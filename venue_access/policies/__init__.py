"""Every IAM policy document of the kit: those of a venue's role, the operator's, session policies and revocations.

Read ``documents`` first: it renders the role's documents from ``templates/policies``, and the others start from them.
"""
