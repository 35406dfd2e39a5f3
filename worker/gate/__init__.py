"""Whether one more worker or chunk is taken: decisions and the figures they are taken on."""
