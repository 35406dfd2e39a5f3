"""Results as CSV, JSON lines or Parquet: streamed, and continued where an earlier export ended."""
