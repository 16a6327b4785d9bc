"""Independent random streams drawn from the one seed of a run."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive_seed(seed: int, purpose: str) -> int:
    """Derive a 63-bit seed for one purpose, such as ``"upsamplers"``, from a run's seed.

    Each purpose has its own stream, so an upsampler that draws more numbers than another changes
    neither the encoder nor the data order. Runs of one seed can be compared in pairs.
    """
    digest = hashlib.sha256(f"{purpose}:{seed}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


@contextmanager
def seeded(seed: int, purpose: str) -> Iterator[None]:
    """Seed torch's global CPU generator with the derived seed, and restore it on exit."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, purpose))
        yield
