"""What an operator wants to be told of, and when not."""
