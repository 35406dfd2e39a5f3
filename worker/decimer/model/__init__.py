"""From upstream's weights to the files the engine opens."""
