"""Machines for the fleet: asked for, created, drained and deleted, as many as the queue's work and deadlines
need.
"""
