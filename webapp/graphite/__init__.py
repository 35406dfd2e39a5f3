"""Graphite's render interface: what is asked, by whom, and what becomes of the answer."""
