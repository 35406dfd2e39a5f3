"""Each cloud: what it is asked for, and how its answers are read."""
