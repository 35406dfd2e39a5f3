"""The way of a run's points to every Carbon: frames, a spool on disk, and reading back what arrived."""
