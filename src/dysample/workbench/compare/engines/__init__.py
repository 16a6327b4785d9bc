"""Engines: where the runs of a comparison are executed."""
