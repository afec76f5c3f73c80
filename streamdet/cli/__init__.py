"""The `streamdet` command."""
