"""The models of the papers by name, ready for the tasks."""

from typing import Any, Literal

from torch import nn
from torchvision.models.detection import FasterRCNN

from dysample.workbench.models.encoder import ImageNetColours
from dysample.workbench.models.rcnn import build_rcnn
from dysample.workbench.settings import Settings


def build_paper_segmenter(
    upsampler: str, options: dict[str, Any], classes: int, settings: Settings, seed: int
) -> nn.Module:
    """SegFormer or MaskFormer: images (B, 3, H, W) in -1..1 to scores (B, classes, H, W).

    Raises:
        ValueError, TypeError: an unknown upsampler, or options that it does not take.
        FileNotFoundError, ValueError: weights that cannot be had, or are of another encoder.
        ModuleNotFoundError: transformers is not installed.
    """
    from dysample.workbench.models.maskformer import MaskFormerSegmenter, build_maskformer
    from dysample.workbench.models.segformer import MixTransformer, build_segformer
    from dysample.workbench.models.weights import fill_maskformer, fill_transformer

    name = settings.model
    if name.startswith("segformer_"):
        segformer = build_segformer(
            name.removeprefix("segformer_"), upsampler, options, classes, seed
        )
        if settings.weights is not None:
            assert isinstance(segformer.encoder, MixTransformer)
            fill_transformer(segformer.encoder.body, name, settings.weights)
        return ImageNetColours(segformer)
    swin = name.removeprefix("maskformer_")
    maskformer = build_maskformer(swin.removeprefix("swin_"), upsampler, options, classes, seed)
    if settings.weights is not None:
        encoder = maskformer.model.pixel_level_module.encoder
        fill_maskformer(encoder, swin, settings.weights)
    return MaskFormerSegmenter(maskformer)


def build_paper_depth_estimator(
    upsampler: str, options: dict[str, Any], settings: Settings, seed: int
) -> nn.Module:
    """A decoder on Swin: images (B, 3, H, W) in -1..1 to metres (B, H, W).

    Raises:
        ValueError, TypeError, FileNotFoundError, ModuleNotFoundError: as `build_paper_segmenter`.
    """
    from dysample.workbench.models.swin import SwinEncoder, build_swin_depth
    from dysample.workbench.models.weights import fill_transformer

    name = settings.model
    model = build_swin_depth(name.removeprefix("swin_"), upsampler, options, seed)
    if settings.weights is not None:
        assert isinstance(model.encoder, SwinEncoder)
        fill_transformer(model.encoder.body, name, settings.weights)
    return ImageNetColours(model)


def build_paper_detector(
    kind: Literal["detection", "instance", "panoptic"],
    upsampler: str,
    options: dict[str, Any],
    about: dict[str, Any],
    settings: Settings,
    seed: int,
) -> FasterRCNN:
    """A Faster R-CNN, Mask R-CNN or Panoptic FPN on a ResNet, for images of the data's size.

    From random weights all of the ResNet is trained, batch normalisation too; from pretrained ones
    its three coarsest stages, as usual.

    Args:
        kind: which of the three.
        upsampler: registered name.
        options: given to `create_upsampler`.
        about: the data: `height`, `width`, `classes` and those of them that are `things`.
        settings: of the run.
        seed: of the run.

    Raises:
        ValueError, TypeError: an unknown upsampler, or options that it does not take.
        FileNotFoundError, ValueError: weights that cannot be had, or are of another encoder.
    """
    from dysample.workbench.models.weights import fill_resnet

    depth: Literal[50, 101] = 50 if settings.model == "r50" else 101
    things, pretrained = len(about["things"]), settings.weights is not None
    detector = build_rcnn(
        kind,
        depth,
        upsampler,
        options,
        things,
        seed,
        stuff=len(about["classes"]) - things,
        trainable_stages=3 if pretrained else 5,
        frozen_norm=pretrained,
    )
    model: Any = detector  # attributes of modules are not annotated
    if settings.weights is not None:
        fill_resnet(model.backbone.body, depth, settings.weights)
    # By default torchvision's detectors resize every image to 800 pixels.
    size = about["height"], about["width"]
    model.transform.min_size, model.transform.max_size = (min(size),), max(size)
    return detector
