"""A synthetic street with people, cyclists and cars."""
