"""Training of the small SSD with PyTorch."""
