"""Inputs: files, cameras, network streams, images and synthetic scenes."""
