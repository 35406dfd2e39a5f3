"""What HTCondor's daemons say of jobs, slots, machines and themselves."""
