"""Clouds that machines are made in: one file each, behind the protocol of base.py."""
