"""Surgery tried on models of libraries that the tests do not install, and the table of it.

`make foreign-hosts` runs it, in an environment of its own, since one of the libraries is AGPL-3.0.
Names of hosts as arguments write their rows alone. It takes an hour: most of it compiles.
"""

from __future__ import annotations

import logging
import sys
import warnings
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import models
from page import line, put, table
from trial import Build, Trial

TABLE = "foreign hosts"
COLUMNS = ("model", "library", *Trial.COLUMNS)


@dataclass(frozen=True)
class Host:
    """A model to operate on.

    Args:
        name: as users know it.
        library: that it comes from, as the registry calls it.
        build: makes it, and what it is called with.
        where: the steps to replace, where surgery leaves all alone by itself.
    """

    name: str
    library: str
    build: Build
    where: str | None = None

    def row(self) -> str:
        names = [self.name, f"{self.library} {version(self.library)}"]
        try:
            return line([*names, *Trial(self.build, self.where).cells()])
        except ValueError as error:  # nothing can be replaced: it ends with the reasons
            reason = f"no: {str(error).rpartition('; ')[2]}"
            return line([*names, reason, *[""] * (len(Trial.COLUMNS) - 1)])


YOLO = models.ultralytics
HOSTS = [
    Host("yolo11n", "ultralytics", partial(YOLO, "yolo11n")),
    Host("yolov8n", "ultralytics", partial(YOLO, "yolov8n")),
    Host("yolov8n-seg", "ultralytics", partial(YOLO, "yolov8n-seg", "SegmentationModel")),
    Host("rtdetr-l", "ultralytics", partial(YOLO, "rtdetr-l", "RTDETRDetectionModel")),
    Host("RF-DETR-Seg nano", "rfdetr", models.rfdetr),
    Host("MAnet", "segmentation_models_pytorch", partial(models.smp, "MAnet")),
    Host("Unet++", "segmentation_models_pytorch", partial(models.smp, "UnetPlusPlus")),
    Host("EfficientDet-D0", "effdet", models.effdet),
    Host("RT-DETR", "transformers", models.rt_detr),
    Host("D-FINE", "transformers", models.d_fine),
    Host("BEiT, UPerNet", "transformers", models.beit),
    Host("OneFormer", "transformers", models.oneformer),
    Host("BasicUNet", "monai", partial(models.monai, "BasicUNet", upsample="nontrainable")),
    Host("SegResNet", "monai", partial(models.monai, "SegResNet", upsample_mode="nontrainable")),
    Host("FlexibleUNet", "monai", models.monai_flexible),
    Host("AttentionUnet", "monai", models.monai_attention, where="*"),
    Host("AutoencoderKL", "diffusers", models.autoencoder),
    Host("UNet2DModel", "diffusers", models.diffusion),
]


def main() -> None:
    """Try each host and write its row at once, in the order of `HOSTS`."""
    warnings.simplefilter("ignore")
    logging.disable()
    for host in HOSTS:
        if host.name in (sys.argv[1:] or [host.name]):
            print(host.name, flush=True)
            new = host.row()
            print(new, flush=True)
            rows = {row.split("|")[1].strip(): row for row in table(TABLE).splitlines()[2:]}
            rows[host.name] = new
            put(TABLE, COLUMNS, [rows[host.name] for host in HOSTS if host.name in rows])


if __name__ == "__main__":
    main()
