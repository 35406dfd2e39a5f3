"""Machines, their groups, the manager's lease, and what is asked of it, as the queue keeps them."""
