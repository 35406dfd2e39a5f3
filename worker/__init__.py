"""The fleet that recognises drawings of structures, in chunks out of a queue."""
