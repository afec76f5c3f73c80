"""Model specifications: how to feed a network and how to read its outputs."""
