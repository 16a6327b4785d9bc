"""Experiments: train the same model with different upsamplers, with one record per run."""
