"""The origin of each registered name: paper, code, licence and known deviations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dysample.papers import PAPERS, Paper


@dataclass(frozen=True)
class Origin:
    """The source of an upsampler.

    `paper` is None for textbook methods alone. `licence` is that of the published code. The code
    here is written from the definitions and copies none of it. `deviations` are sentences on where
    our results or arguments differ from that code.
    """

    paper: Paper | None
    code: str
    licence: str
    deviations: tuple[str, ...] = ()


_PYTORCH_LICENCE = "BSD-3-Clause"
_DYSAMPLE = "tiny-smart/dysample, dysample.py"
_DYSAMPLE_LICENCE = "MIT (Wenze Liu, 2023)"
_FADE = "poppinace/fade, FADE_H2L.py and FADE_L2H.py"
_FADE_LICENCE = "no licence file in the repository"
_SAPA = "poppinace/sapa, SAPA.py and SAPAExp.py"
_SAPA_LICENCE = "MIT (Hao Lu, 2022) by its licence file; its README says for academic purposes only"
_NON_COMMERCIAL = "the trained matting models are for non-commercial use only"

_ANY_SIZE = "The published code is fixed to twice the size; here any size works."
_ODD_GUIDE = (
    "The published code needs an even guide of twice the size; here an odd one is continued by"
    " its last row and column, and any size works."
)
_NEAREST_FIELD = (
    "At sizes that are not a whole multiple, which the published code cannot make, each output"
    " pixel takes the nearest of the predicted fields."
)
_SAMPLING = (
    "Positions are computed in float32 for every dtype; the published code uses the input's, in"
    " bfloat16 wrong by whole pixels.",
    "The regular positions are exact; the published code rounds `init_pos` to float32 (1e-8).",
    _NEAREST_FIELD,
)
_GROUPS_OF_8 = (
    "The published class defaults to 4 groups in either style; the paper's 8 are set here.",
)
_STEP = (
    "The released code holds the last step alone; this one is derived from the paper's description"
    " by changing scope factor, regular positions, groups and scope.",
)
_CUDA = "The published operator runs on CUDA alone and at whole scales; here any size works."
_SINGLE_VALUES = (
    "A map with a single value a group of normalisation gives 0 for it; the published code raises."
)


def _dysample(*deviations: str) -> Origin:
    return Origin(
        PAPERS["liu2023dysample"], _DYSAMPLE, _DYSAMPLE_LICENCE, (*_SAMPLING, *deviations)
    )


ORIGINS: Mapping[str, Origin] = MappingProxyType(
    {
        "nearest": Origin(
            None,
            "torch.nn.Upsample",
            _PYTORCH_LICENCE,
            (
                "At fractional scales the pixel that holds the centre is read, torch's"
                ' "nearest-exact"; its "nearest" shifts the map.',
            ),
        ),
        "bilinear": Origin(
            None,
            "torch.nn.Upsample",
            _PYTORCH_LICENCE,
            ("align_corners is always False; the depth baseline of the DySample paper uses True.",),
        ),
        "deconv": Origin(
            PAPERS["zeiler2010deconvolutional"],
            "torch.nn.ConvTranspose2d",
            _PYTORCH_LICENCE,
            (
                "The paper's tables know scale 2 with kernel 3; other scales s use kernel 2s - 1.",
                "At sizes that are not a whole multiple the result of the next whole scale is read"
                " at the nearest of its pixels.",
            ),
        ),
        "pixel_shuffle": Origin(
            PAPERS["shi2016espcn"],
            "torch.nn.PixelShuffle behind torch.nn.Conv2d",
            _PYTORCH_LICENCE,
            (
                "Initialised as torch.nn.Conv2d and keyed as the detection fork's; mmcv's pack"
                " starts xavier-uniform and names its convolution `upsample_conv`.",
                "At sizes that are not a whole multiple the result of the next whole scale is read"
                " at the nearest of its pixels.",
            ),
        ),
        "carafe": Origin(
            PAPERS["wang2019carafe"],
            "open-mmlab/mmcv, mmcv/ops/carafe.py",
            "Apache-2.0",
            (_NEAREST_FIELD,),
        ),
        "indexnet": Origin(
            PAPERS["lu2019indexnet"],
            "poppinace/indexnet_matting, scripts/hlindex.py",
            f"MIT (Hao Lu, 2019); {_NON_COMMERCIAL}",
            (
                "The papers' tables do not say which variant they use; the holistic non-linear one"
                " with context is the only one whose parameters fit.",
                _ODD_GUIDE,
            ),
        ),
        "a2u": Origin(
            PAPERS["dai2021a2u"],
            "dongdong93/a2u_matting; `A2UUp` and `A2UUpRaw` in"
            " tiny-smart/detection-with-upsamplers",
            f"MIT (Yutong Dai, 2021); {_NON_COMMERCIAL}",
            (
                "The unused `bconv_DP` of the published `A2UUpRaw` is left out and dropped from"
                " its checkpoints.",
                _ODD_GUIDE,
            ),
        ),
        "fade": Origin(
            PAPERS["lu2022fade"],
            _FADE,
            _FADE_LICENCE,
            (
                _ANY_SIZE,
                "The published pytorch_implementation/FADE_H2L.py orders its channels differently"
                " from all other versions and is not followed.",
            ),
        ),
        "fade_lite": Origin(PAPERS["lu2024fade"], _FADE, _FADE_LICENCE, (_ANY_SIZE,)),
        "sapa_i": Origin(
            PAPERS["lu2022sapa"],
            "none published",
            "no code published",
            (
                "Inferred from the paper's parameter and FLOP counts: inner products over all"
                " channels, without parameters. Whether features are normalised first is unknown;"
                " by default they are not.",
            ),
        ),
        "sapa_b": Origin(
            PAPERS["lu2022sapa"],
            f"{_SAPA}; tiny-smart/sapa, sapa_base.py",
            f"{_SAPA_LICENCE}; tiny-smart/sapa has no licence file",
            (
                "The embedding is 32 wide, as the published costs require and the later release"
                " sets; the first release's default is 64.",
                _SINGLE_VALUES,
                _CUDA,
            ),
        ),
        "sapa_g": Origin(
            PAPERS["lu2022sapa"],
            _SAPA,
            _SAPA_LICENCE,
            (
                "Has more parameters than the paper's tables give, which fit shared projections"
                " that the published class does not have.",
                "The embedding is 32 wide, as for SAPA-B; the published default is 64.",
                _SINGLE_VALUES,
                _CUDA,
            ),
        ),
        "sapa_d": Origin(
            PAPERS["liu2023affiliation"],
            "tiny-smart/sapa, sapa_deform.py",
            "no licence file in the repository",
            (_CUDA,),
        ),
        "dysample": _dysample(),
        "dysample_plus": _dysample(),
        "dysample_s": _dysample(*_GROUPS_OF_8),
        "dysample_s_plus": _dysample(*_GROUPS_OF_8),
        **{f"dysample_step_{number}": _dysample(*_STEP) for number in range(4)},
        "dysample_step_4": _dysample(),
    }
)
"""The origins by registered name."""
