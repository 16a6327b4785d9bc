"""Models of libraries that the tests do not install, small where they can be, random weights.

Each builder makes the model and what it is called with. The libraries are imported when built.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

Built = tuple[nn.Module, Any]


def image(*size: int) -> Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))


def ultralytics(name: str, kind: str = "DetectionModel", size: int = 128) -> Built:
    from ultralytics.nn import tasks

    return getattr(tasks, kind)(f"{name}.yaml", nc=4, verbose=False), image(size, size)


def rfdetr() -> Built:
    from rfdetr.config import RFDETRSegNanoConfig
    from rfdetr.models.lwdetr import build_model_from_config

    config = RFDETRSegNanoConfig(pretrain_weights=None, device="cpu", num_queries=20, num_select=20)
    return build_model_from_config(config), image(config.resolution, config.resolution)


def smp(name: str) -> Built:
    import segmentation_models_pytorch

    model = getattr(segmentation_models_pytorch, name)("resnet18", encoder_weights=None, classes=4)
    return model, image(64, 96)


def effdet() -> Built:
    from effdet import create_model

    model = create_model("tf_efficientdet_d0", pretrained_backbone=False, image_size=(512, 512))
    return model, image(512, 512)


def rt_detr() -> Built:
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrResNetConfig

    backbone = RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 32, 64],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = RTDetrConfig(
        backbone_config=backbone, encoder_in_channels=[16, 32, 64], **_detr(), num_denoising=0
    )
    return RTDetrForObjectDetection(config), image(64, 96)


def d_fine() -> Built:
    from transformers import DFineConfig, DFineForObjectDetection, HGNetV2Config

    backbone = HGNetV2Config(
        hidden_sizes=[16, 32, 64, 128],
        stage_in_channels=[16, 16, 32, 64],
        stage_mid_channels=[8, 8, 16, 32],
        stage_out_channels=[16, 32, 64, 128],
        stage_num_blocks=[1, 1, 1, 1],
        stage_downsample=[False, True, True, True],
        stage_light_block=[False, False, True, True],
        stage_kernel_size=[3, 3, 3, 3],
        stage_numb_of_layers=[1, 1, 1, 1],
        stem_channels=[3, 16, 16],
        out_features=["stage2", "stage3", "stage4"],
    )
    config = DFineConfig(
        backbone_config=backbone, encoder_in_channels=[32, 64, 128], **_detr(), num_denoising=0
    )
    return DFineForObjectDetection(config), image(64, 96)


def _detr() -> dict[str, Any]:
    return {
        "d_model": 32,
        "encoder_hidden_dim": 32,
        "encoder_ffn_dim": 64,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "decoder_ffn_dim": 64,
        "decoder_layers": 2,
        "decoder_in_channels": [32, 32, 32],
        "num_queries": 10,
    }


def beit() -> Built:
    from transformers import BeitConfig, BeitForSemanticSegmentation

    config = BeitConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=64,
        patch_size=16,
        out_indices=[1, 2, 3, 4],
        use_auxiliary_head=True,
        auxiliary_channels=16,
        num_labels=4,
        use_relative_position_bias=True,
    )
    return BeitForSemanticSegmentation(config), image(64, 64)


def oneformer() -> Built:
    from transformers import OneFormerConfig, OneFormerForUniversalSegmentation, SwinConfig

    backbone = SwinConfig(
        embed_dim=16,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = OneFormerConfig(
        backbone_config=backbone,
        hidden_dim=32,
        conv_dim=32,
        mask_dim=32,
        dim_feedforward=64,
        encoder_feedforward_dim=64,
        num_attention_heads=4,
        encoder_layers=1,
        decoder_layers=2,
        query_dec_layers=1,
        num_queries=10,
        text_encoder_width=32,
        text_encoder_num_layers=1,
        text_encoder_vocab_size=99,
        task_seq_len=8,
        max_seq_len=8,
        is_training=False,
    )
    words = torch.arange(16).reshape(2, 8)
    return OneFormerForUniversalSegmentation(config), (image(128, 128), words.float())


def monai(name: str, **options: Any) -> Built:
    from monai.networks import nets

    options = {"spatial_dims": 2, "in_channels": 3, "out_channels": 4, **options}
    return getattr(nets, name)(**options), image(64, 96)


def monai_attention() -> Built:
    return monai("AttentionUnet", channels=(8, 16, 32), strides=(2, 2))


def monai_flexible() -> Built:
    from monai.networks.nets import FlexibleUNet

    return FlexibleUNet(3, 4, "efficientnet-b0", pretrained=False), image(64, 96)


def autoencoder() -> Built:
    from diffusers import AutoencoderKL

    blocks = 3
    model = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * blocks,
        up_block_types=["UpDecoderBlock2D"] * blocks,
        block_out_channels=[16, 32, 32],
        norm_num_groups=8,
    )
    return model, image(32, 48)


def diffusion() -> Built:
    from diffusers import UNet2DModel

    model = UNet2DModel(
        down_block_types=["DownBlock2D", "DownBlock2D", "AttnDownBlock2D"],
        up_block_types=["AttnUpBlock2D", "UpBlock2D", "UpBlock2D"],
        block_out_channels=[16, 32, 32],
        norm_num_groups=8,
        attention_head_dim=8,
    )
    return model, (image(32, 48), torch.tensor(3))
