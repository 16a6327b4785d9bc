"""Dense-prediction models with exchangeable upsamplers."""
