"""Lists of VMs and jobs, and one of them, as pages show them. Pure."""
