"""A user's mistakes in calls of `affinity`, `point_attention` and `sapa`."""

from __future__ import annotations

import pytest
import torch

from dysample import functional

Q, K = torch.zeros(2, 4, 6, 6), torch.zeros(2, 4, 3, 3)


@pytest.mark.parametrize(
    ("error", "match", "query", "key", "options"),
    [
        (TypeError, "`query` must be a tensor, not int", 3, K, {}),
        (ValueError, r"`key` must have 4 axes \(B, C, H, W\), not 3", Q, K[0], {}),
        (TypeError, "`key` must be floating, not torch.int64", Q, K.long(), {}),
        (ValueError, r"`query` batch \(=1\) must equal that of `key` \(=2\)", Q[:1], K, {}),
        (ValueError, r"`query` channels \(=3\) must equal those of `key` \(=4\)", Q[:, :3], K, {}),
        (ValueError, "`query` device .* must equal that of `key`", Q.to("meta"), K, {}),
        (ValueError, r"`groups` \(=3\) must divide channels \(=4\)", Q, K, {"groups": 3}),
        (ValueError, r"`groups` \(=0\) must be at least 1", Q, K, {"groups": 0}),
        (ValueError, r"`kernel` \(=4\) must be odd", Q, K, {"kernel": 4}),
        (TypeError, r"`kernel` \(=3.0\) must be an integer", Q, K, {"kernel": 3.0}),
    ],
)
def test_affinity_refuses(error: type[Exception], match: str, query, key, options) -> None:
    with pytest.raises(error, match=match):
        functional.affinity(query, key, **{"kernel": 3, **options})


O = torch.zeros(2, 8, 6, 6)  # noqa: E741
FIELD = torch.zeros(2, 16, 3, 3)


@pytest.mark.parametrize(
    ("match", "x", "key", "offset", "groups"),
    [
        (r"`key` size \(=\(3, 3\)\) must equal that of `x` \(=\(3, 2\)\)", K[..., :2], K, O, 1),
        (r"`key` batch \(=2\) must equal that of `x` \(=1\)", K[:1], K, O, 1),
        (r"`groups` \(=4\) must divide channels \(=3\)", K[:, :3], K, O, 4),
        (r"`offset` size \(=\(5, 6\)\) must equal that of `query`", K, K, O[:, :, :5], 1),
        (r"`offset` batch \(=1\) must equal that of `x` \(=2\)", K, K, O[:1], 1),
        (r"`offset` channels \(=7\) must be 2 \* groups \* points", K, K, O[:, :7], 1),
        (r"`offset` channels \(=0\) must be at least 1", K, K, O[:, :0], 1),
    ],
)
def test_point_attention_refuses(match: str, x, key, offset, groups: int) -> None:
    with pytest.raises(ValueError, match=match):
        functional.point_attention(x, Q, key, offset, groups=groups)


@pytest.mark.parametrize(
    ("match", "x", "key", "offset", "groups"),
    [
        (r"`key` size \(=\(3, 3\)\) must equal that of `x` \(=\(3, 2\)\)", K[..., :2], K, FIELD, 1),
        (r"`groups` \(=4\) must divide channels \(=3\)", K[:, :3], K, FIELD, 4),
        (r"`offset` size \(=\(6, 6\)\) must equal that of `x` \(=\(3, 3\)\)", K, K, O, 1),
        (r"`offset` batch \(=1\) must equal that of `x` \(=2\)", K, K, FIELD[:1], 1),
        (r"`offset` channels \(=15\) must be a multiple of 2 \* scale", K, K, FIELD[:, :15], 1),
        (r"`offset` channels \(=8\) must be a multiple of 4 \* scale", K, K, FIELD[:, :8], 2),
    ],
)
def test_sapa_deform_refuses(match: str, x, key, offset, groups: int) -> None:
    with pytest.raises(ValueError, match=match):
        functional.sapa_deform(x, Q, key, offset, 2, groups=groups)


def test_sapa_refuses_keys_of_another_size() -> None:
    with pytest.raises(ValueError, match=r"`key` size \(=\(3, 2\)\) must equal that of `x`"):
        functional.sapa(K, Q, K[..., :2], kernel=3)


def test_sapa_refuses_keys_of_another_batch() -> None:
    with pytest.raises(ValueError, match=r"`key` batch \(=1\) must equal that of `x` \(=2\)"):
        functional.sapa(K, Q[:1], K[:1], kernel=3)
