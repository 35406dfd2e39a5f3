"""Cloud Scheduler, version 1 and 2."""
