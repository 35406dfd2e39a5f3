"""One process a host: keeps as many workers as the gate admits, and tells the queue."""
