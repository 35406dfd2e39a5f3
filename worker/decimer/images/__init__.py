"""A picture from a file of anywhere to what the encoder reads, and the small one that people look at."""
