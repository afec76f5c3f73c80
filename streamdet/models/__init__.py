"""Model files: catalog, download, verification, inspection and construction."""
