"""Supervisors as jobs of an HTCondor pool."""
