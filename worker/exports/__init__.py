"""Results as CSV, JSON lines or Parquet: streamed, and continued where an earlier export ended."""

from worker.exports.export import FORMATS, export_to_file, export_to_stream

__all__ = ["FORMATS", "export_to_file", "export_to_stream"]
