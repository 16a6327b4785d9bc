"""The primitives, several times: `reference` defines them, `eager` runs them in plain torch."""
