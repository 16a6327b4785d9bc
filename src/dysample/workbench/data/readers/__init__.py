"""One file for each layout on disk."""
