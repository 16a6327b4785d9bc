"""Many runs: every upsampler and seed once."""
