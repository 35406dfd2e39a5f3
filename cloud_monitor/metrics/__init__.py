"""Metric paths and the catalog of every metric."""
