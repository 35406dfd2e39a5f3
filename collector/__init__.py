"""Asks the batch system, its clouds and the host each minute, and sends the figures to Carbon."""
