"""What a model is trained for: data, model, loss, metrics."""
