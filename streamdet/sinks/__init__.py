"""Outputs: recordings, images, JSON lines and windows."""
