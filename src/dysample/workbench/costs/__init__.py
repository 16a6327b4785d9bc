"""Costs of upsamplers and models: counted here, beside those in the papers, as tables."""
