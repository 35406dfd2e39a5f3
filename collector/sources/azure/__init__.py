"""Azure's own view of the grid's machines: its figures of VMs, storage accounts and quotas."""
