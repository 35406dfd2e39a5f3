"""What monitoring reads of the queue, and never writes."""
