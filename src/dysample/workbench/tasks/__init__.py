"""What a model is trained for: loss, metrics, optimiser."""
