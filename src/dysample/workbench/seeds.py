"""Independent random streams drawn from the one seed of a run."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed for one purpose, such as ``"upsamplers"``, of a run's seed.

    Each purpose has a stream of its own: an upsampler that draws more numbers than another leaves
    the encoder and the data order as they are, so that runs of one seed can be compared in pairs.
    """
    digest = hashlib.sha256(f"{purpose}:{seed}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


@contextmanager
def seeded(seed: int, purpose: str) -> Iterator[None]:
    """Torch's global CPU generator on the derived seed, put back afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, purpose))
        yield
