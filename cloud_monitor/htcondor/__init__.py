"""HTCondor, as the collector and the workers ask it."""
