"""Experiments: the same model trained with one upsampler or another, one record a run."""
