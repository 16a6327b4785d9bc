"""Backends of the primitives: `reference` defines them, `eager` runs them in plain torch."""
