"""Whether this machine, the inventory and the operator's keys are fit for the work."""
