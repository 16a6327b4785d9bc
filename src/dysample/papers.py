"""The papers cited by key in docstrings, and their BibTeX entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Paper:
    """One entry of the bibliography; `key` is what stands in brackets in docstrings.

    Authors are written "Last, First"; `kind` is BibTeX's type of entry, which decides how the
    venue's field is called; `eprint` is the arXiv number, where there is one.
    """

    key: str
    title: str
    authors: tuple[str, ...]
    venue: str
    year: int
    kind: str = "inproceedings"
    doi: str | None = None
    eprint: str | None = None

    def bibtex(self) -> str:
        """The entry as text for a .bib file."""
        venue = {"inproceedings": "booktitle", "article": "journal"}[self.kind]
        fields = {
            "title": f"{{{self.title}}}",  # doubled braces keep the capitals
            "author": " and ".join(self.authors),
            venue: self.venue,
            "year": str(self.year),
            "doi": self.doi,
            "eprint": self.eprint,
            "archiveprefix": "arXiv" if self.eprint else None,
        }
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"])


_ICCV = "Proceedings of the IEEE/CVF International Conference on Computer Vision (ICCV)"
_CVPR = "Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)"
_CVPR_OLD = "Proceedings of the IEEE Conference on Computer Vision and Pattern Recognition (CVPR)"
_ECCV = "Proceedings of the European Conference on Computer Vision (ECCV)"
_NEURIPS = "Advances in Neural Information Processing Systems (NeurIPS)"

_PAPERS = (
    Paper(
        "zeiler2010deconvolutional",
        "Deconvolutional Networks",
        ("Zeiler, Matthew D.", "Krishnan, Dilip", "Taylor, Graham W.", "Fergus, Rob"),
        _CVPR_OLD,
        2010,
    ),
    Paper(
        "shi2016espcn",
        "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel"
        " Convolutional Neural Network",
        (
            "Shi, Wenzhe",
            "Caballero, Jose",
            "Husz{\\'a}r, Ferenc",
            "Totz, Johannes",
            "Aitken, Andrew P.",
            "Bishop, Rob",
            "Rueckert, Daniel",
            "Wang, Zehan",
        ),
        _CVPR_OLD,
        2016,
        eprint="1609.05158",
    ),
    Paper(
        "wang2019carafe",
        "CARAFE: Content-Aware ReAssembly of FEatures",
        (
            "Wang, Jiaqi",
            "Chen, Kai",
            "Xu, Rui",
            "Liu, Ziwei",
            "Loy, Chen Change",
            "Lin, Dahua",
        ),
        _ICCV,
        2019,
        eprint="1905.02188",
    ),
    Paper(
        "lu2019indexnet",
        "Indices Matter: Learning to Index for Deep Image Matting",
        ("Lu, Hao", "Dai, Yutong", "Shen, Chunhua", "Xu, Songcen"),
        _ICCV,
        2019,
        eprint="1908.00672",
    ),
    Paper(
        "dai2021a2u",
        "Learning Affinity-Aware Upsampling for Deep Image Matting",
        ("Dai, Yutong", "Lu, Hao", "Shen, Chunhua"),
        _CVPR,
        2021,
        eprint="2011.14288",
    ),
    Paper(
        "lu2022fade",
        "FADE: Fusing the Assets of Decoder and Encoder for Task-Agnostic Upsampling",
        ("Lu, Hao", "Liu, Wenze", "Fu, Hongtao", "Cao, Zhiguo"),
        _ECCV,
        2022,
        doi="10.1007/978-3-031-19812-0_14",
    ),
    Paper(
        "lu2024fade",
        "FADE: A Task-Agnostic Upsampling Operator for Encoder-Decoder Architectures",
        ("Lu, Hao", "Liu, Wenze", "Fu, Hongtao", "Cao, Zhiguo"),
        "International Journal of Computer Vision",
        2024,
        kind="article",
        doi="10.1007/s11263-024-02191-8",
        eprint="2407.13500",
    ),
    Paper(
        "lu2022sapa",
        "SAPA: Similarity-Aware Point Affiliation for Feature Upsampling",
        (
            "Lu, Hao",
            "Liu, Wenze",
            "Ye, Zixuan",
            "Fu, Hongtao",
            "Liu, Yuliang",
            "Cao, Zhiguo",
        ),
        _NEURIPS,
        2022,
        eprint="2209.12866",
    ),
    Paper(
        "liu2023affiliation",
        "On Point Affiliation in Feature Upsampling",
        ("Liu, Wenze", "Lu, Hao", "Liu, Yuliang", "Cao, Zhiguo"),
        "arXiv preprint",
        2023,
        kind="article",
        eprint="2307.08198",
    ),
    Paper(
        "liu2023dysample",
        "Learning to Upsample by Learning to Sample",
        ("Liu, Wenze", "Lu, Hao", "Fu, Hongtao", "Cao, Zhiguo"),
        _ICCV,
        2023,
        eprint="2308.15085",
    ),
)

PAPERS: Mapping[str, Paper] = MappingProxyType({paper.key: paper for paper in _PAPERS})
"""By key, oldest first."""


def references() -> str:
    """The bibliography as the text of a .bib file."""
    return "\n\n".join(paper.bibtex() for paper in PAPERS.values()) + "\n"
