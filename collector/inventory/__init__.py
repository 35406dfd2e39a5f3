"""The lists of single VMs and jobs, and their way to the status page."""
