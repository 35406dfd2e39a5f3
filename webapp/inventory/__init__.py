"""VMs and jobs one by one: the lists that collectors send, kept with what changed, and read by pages."""
