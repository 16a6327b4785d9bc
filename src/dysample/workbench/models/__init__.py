"""Small dense-prediction models with a seam for the upsampler."""
