"""What is asked of batches from outside, and what supervisors make of it."""
