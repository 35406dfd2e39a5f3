"""Who hears of what is wrong, when, and on which channel; on the one judge of health."""
