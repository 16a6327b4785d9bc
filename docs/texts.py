"""What the pages on the upsamplers say beyond docstrings and metadata."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """One page: `name` is the file's stem, the picture's and the first registered name on it.

    `formula` stands where the class docstring holds none, or where the name departs from it.
    `example` is further Python for the page's example, where `x` and `guide` are at hand.
    """

    name: str
    title: str
    idea: str
    when: str
    reads: str = "kernel"
    """What the picture shows, a key of `READS`."""
    formula: str = ""
    example: str = ""
    names: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    """Further registered names, shell-style, that differ from the first ones in options alone."""


PAGES: tuple[Page, ...] = (
    Page(
        "nearest",
        "Nearest neighbour",
        idea="Each output pixel takes the value of the low-res pixel that holds its centre. Every"
        " low-res pixel so becomes a block of equal pixels. Nothing is learned and nothing is"
        " blended: boundaries become stairs, but no values arise that the map did not hold.",
        when="Where the step must cost nothing, as in the feature pyramids of detectors, whose"
        " default it is; and as a baseline there. Where boundaries count, bilinear is already"
        " better.",
        formula="out[Y, X] = x[floor((Y + 1/2) * H / H'), floor((X + 1/2) * W / W')]",
    ),
    Page(
        "bilinear",
        "Bilinear interpolation",
        idea="Each output pixel blends the four low-res pixels around it, weighted by nearness. The"
        " weights depend on the position alone, so every boundary is blurred alike. It is the"
        " default of segmentation heads, and where DySample's training starts.",
        when="The baseline of segmentation and depth. Keep it where the model has skip"
        " connections that bring the detail past the upsampler, or where nothing may be learned.",
        formula="out[Y, X] = sum over the 4 pixels (h, w) around (p_y, p_x) of\n"
        "            (1 - |p_y - h|) * (1 - |p_x - w|) * x[h, w]\n"
        "p_y = (Y + 1/2) * H / H' - 1/2, clamped to 0 .. H - 1; p_x likewise",
    ),
    Page(
        "deconv",
        "Transposed convolution",
        reads="mixing",
        idea="Each low-res pixel is spread over a patch of the output with a learned kernel, and"
        " overlapping patches are added. The kernel mixes channels and is the same everywhere,"
        " whatever the map shows. The sub-pixels of a block are reached by different numbers of"
        " low-res pixels (1, 2, 2 and 4 at scale 2), which can leave a checkerboard.",
        when="As a baseline, or to load a model that was trained with it. In the papers' tables it"
        " is below bilinear and nearest, at far higher cost.",
        formula="out[s h - (s - 1) + a, s w - (s - 1) + b] += weight[:, :, a, b]^T x[h, w]\n"
        "for every (h, w) and 0 <= a, b < 2s - 1, and out += bias",
    ),
    Page(
        "pixel_shuffle",
        "Pixel shuffle",
        reads="mixing",
        idea="A 3x3 convolution predicts s^2 values for every channel and low-res pixel, and these"
        " are laid out as its s x s sub-pixels. Each sub-pixel so has a 3x3 kernel of its own,"
        " full in the channels and the same everywhere. It comes from super-resolution, where it"
        " is the last layer with few output channels; within a wide network it is expensive.",
        when="At the end of a network with few output channels, or to load a model that was"
        " trained with it. With many channels, one of the dynamic upsamplers costs a small part of"
        " it.",
        formula="y = conv3x3(x), with s^2 times the channels\n"
        "out[c, s h + i, s w + j] = y[c * s^2 + i * s + j, h, w],  0 <= i, j < s",
        example='few = create_upsampler("pixel_shuffle", 64, out_channels=3)\n'
        "assert few(x).shape == (2, 3, 26, 34)\n",
    ),
    Page(
        "carafe",
        "CARAFE",
        idea="A small network looks at the low-res features and predicts a k x k kernel for every"
        " output pixel. Softmax makes its entries positive with sum 1, and with it the low-res"
        " neighbours are summed. All channels share the kernel, so the cost lies in predicting it,"
        " and content decides what is blended.",
        when="Without a guide, where DySample's four taps seem too few: the window is wide, so a"
        " boundary can be read off several pixels. It costs several times DySample's multiply-adds"
        " and memory, and its published scores are no better.",
        formula="kernels = softmax over t of shuffle(encoder(compressor(x)))\n"
        "out = reassemble(x, kernels)\n"
        "    = sum over t = (dy, dx) of kernels[t, Y, X] * x[:, h + dy, w + dx]",
        example='grouped = create_upsampler("carafe", 64, scale_factor=1.5, up_group=4)\n'
        "assert grouped(x).shape == (2, 64, 19, 25)\n",
    ),
    Page(
        "indexnet",
        "IndexNet",
        reads="index",
        idea="A small network reads the finer guide in 2x2 blocks and predicts for each pixel how"
        " much of the upsampled feature passes it. The output is nearest-neighbour upsampling"
        " times this index map. It comes from matting, where the encoder pools by the same indices,"
        " so that detail returns to the place it was taken from.",
        when="For matting and similar tasks whose encoder can pool with `index_maps`. For"
        " segmentation and detection it is the most expensive guided operator, and in the papers'"
        " SegFormer and Faster R-CNN tables no better than the baseline, within the noise.",
        example="encoder, decoder = up.index_maps(guide)\nassert decoder.shape == (2, 1, 26, 34)\n",
    ),
    Page(
        "a2u",
        "A2U",
        idea="Two filters made from the guide reduce it to half the size, and the inner product of"
        " the two results says how alike its channels respond at each place. From this one map and"
        " one vector for the whole image come the 3x3 kernels that sum the low-res neighbours. A"
        " sigmoid in front of the softmax keeps the kernels flat (no entry is more than e times"
        " another), so A2U smooths rather than sharpens.",
        when="For matting, for which it was made, or where a guided operator must have almost no"
        " parameters. In the papers' SegFormer and Faster R-CNN tables it stays below bilinear and"
        " nearest.",
    ),
    Page(
        "fade",
        "FADE",
        reads="gated",
        idea="The kernel of every output pixel is predicted from both features: the finer guide"
        " knows where a boundary runs, the low-res feature which boundaries mean something. Both"
        " are compressed and read by the same convolution, each at its own resolution, and their"
        " sum gives the logits. A gate, predicted from the low-res feature, then blends the guide"
        " itself into the result where its detail is wanted.",
        when="Where a finer feature of the same width is at hand and boundaries matter: with"
        " the gate it has the best published boundary IoU of those here. Leave the gate off"
        " (`gating=False`) in pyramids that add the guide afterwards anyway.",
        example='ungated = create_upsampler("fade", 64, guide_channels=32, gating=False)\n'
        "assert ungated(x, guide[:, :32]).shape == (2, 64, 26, 34)\n",
    ),
    Page(
        "fade_lite",
        "FADE-Lite",
        reads="gated",
        idea="FADE with a thin kernel generator: guide and feature are compressed straight to one"
        " channel for each tap of the kernel. The 3x3 convolution then works on each tap alone."
        " Reassembly and gate stay as in FADE.",
        when="As FADE, at about a third of its cost; its published scores lie between CARAFE's"
        " and FADE's.",
        formula="kernels = softmax(E(P_en guide + b) + nearest(E(P_de x))),"
        "  E depthwise, k^2 channels\n"
        "r = reassemble(x, kernels)\n"
        "out = gate * guide + (1 - gate) * r,  gate = sigmoid(nearest(conv1x1(x)))",
    ),
    Page(
        "sapa_i",
        "SAPA-I",
        idea="Each output pixel asks which of the low-res pixels around it look like the guide at"
        " its place, by plain inner products over all channels. Softmax turns the similarities"
        " into a kernel that sums those pixels. Nothing in it is learned: guide and feature have to"
        " come in a common space already.",
        when="Where guide and feature come from layers trained to agree, as behind the lateral"
        " convolutions of a pyramid, and no parameter may be added. Mind the scale of the"
        " features: large inner products make the softmax pick a single pixel.",
        example='normed = create_upsampler("sapa_i", 64, norm="layer")\n'
        "assert normed(x, guide).shape == (2, 64, 26, 34)\n",
    ),
    Page(
        "sapa_b",
        "SAPA-B",
        idea="Guide and feature are normalised and embedded into a common space of few channels."
        " Each output pixel compares its embedded guide with the embedded low-res pixels around it;"
        " the softmax of the inner products is the kernel that sums them. At a boundary a pixel so"
        " takes its value from the side that its guide resembles, and within a region the kernel"
        " stays flat and smooths.",
        when="Where a guide is at hand, possibly of another width than the feature, and boundaries"
        " matter at moderate cost.",
        example='narrow = create_upsampler("sapa_b", 64, guide_channels=32)\n'
        "assert narrow(x, guide[:, :32]).shape == (2, 64, 26, 34)\n",
    ),
    Page(
        "sapa_g",
        "SAPA-G",
        idea="SAPA-B with a query from two sources: a gate, predicted from the low-res feature,"
        " mixes the embedded guide with the embedded feature itself. Where the guide has texture"
        " without meaning, the gate can turn it down. Keys, softmax and reassembly stay as in"
        " SAPA-B.",
        when="As SAPA-B, where the guide is an early, noisy feature.",
        formula="gate = nearest(sigmoid(linear(norm_x(x))))\n"
        "query = gate * qy(norm_y(guide)) + (1 - gate) * nearest(qx(x))\n"
        "kernel[t] = softmax over t of <query, k(norm_x(x)) at neighbour t>\n"
        "out = reassemble(x, kernel)",
    ),
    Page(
        "sapa_d",
        "SAPA-D",
        reads="attention",
        idea="SAPA without a fixed window: for each output pixel and group of channels, points are"
        " predicted, and keys and features are read there by bilinear interpolation. The guide's"
        " query is compared with the keys at the points, and the softmax of that sums the features."
        " It joins DySample's sampling with SAPA's comparison, and pays for both.",
        when="Where the score counts more than the cost: it has the best published mIoU and"
        " box AP of those here, at several times SAPA-B's cost.",
    ),
    Page(
        "dysample",
        "DySample, DySample+, DySample-S, DySample-S+",
        reads="points",
        idea="Upsampling is seen as sampling: each output pixel predicts where in the low-res map"
        " to look, and the map is read there by bilinear interpolation. The offset from the regular"
        " position is one linear layer of the feature times a scope factor, which keeps"
        " neighbouring pixels from crossing. No kernel is predicted and no guide needed; with all"
        " offsets zero it is bilinear interpolation.",
        when="The first choice without a guide, and wherever cost counts: it adds little to"
        " bilinear, and has the best published scores of those that read no guide."
        " `dysample_plus` for detection, instance and panoptic segmentation and depth, where the"
        " paper reports it best; `dysample_s_plus` for SegFormer and MaskFormer, and where"
        " parameters count (channels must be a multiple of s^2).",
        formula="offset = 0.25 * linear(x)                      static scope\n"
        "offset = 0.5 * sigmoid(scope(x)) * linear(x)   dynamic scope (+)\n"
        "linear(x) = shuffle(conv1x1(x)), or for S conv1x1(shuffle(x))\n"
        "p[g, Y, X] = ((X + 1/2) * W / W' - 1/2, (Y + 1/2) * H / H' - 1/2) + offset[g, Y, X]\n"
        "out[c, Y, X] = bilinear(x[c] at p[g, Y, X]),  g the group of channel c",
        example='small = create_upsampler("dysample_s_plus", 64)\n'
        "where = small.positions(x)  # (B, groups, 2, H', W'), in low-res pixels\n"
        "assert where.shape == (2, 8, 2, 26, 34)\n",
        names=("dysample_plus", "dysample_s", "dysample_s_plus"),
        patterns=("dysample_step_*",),
    ),
)

READS: dict[str, str] = {
    "kernel": "A black square is a low-res pixel that is read; its area is its weight (a full cell:"
    " 1).",
    "mixing": "A black square is a low-res pixel that is read; its area is the share in which the"
    " classes come through it unmixed, mean over the classes (a full cell: 1; red: negative).",
    "index": "The black square is the low-res pixel that is read; its area is the index (a full"
    " cell: 1), also given above the panel.",
    "gated": "A black square is a low-res pixel that is read; its area is its weight (a full cell:"
    " 1). Drawn with `gating=False`, so that it is the kernel that has to restore the detail;"
    " after so short a training it still differs little from pixel to pixel.",
    "points": "The black dot is where bilinear interpolation would read; the coloured dots tied to"
    " it are where the groups of channels read instead.",
    "attention": "Dots of one colour are the points of one group of channels, tied to the low-res"
    " pixel they start from; their area is their weight.",
}
CAPTION = (
    "Left: the image, the true boundaries and three output pixels, two on either side of a boundary"
    " within one low-res pixel and one on a pole as wide as itself. Beside it, for each of them,"
    " the low-res map, coloured by its blurred mixture of classes, with the true boundaries dotted"
    " and the output pixel white. {reads} Every page shows the same scene and pixels; what is"
    " learned was trained for some seconds to restore the labels."
)

GUIDE = """\
Start from what your model has at the upsampling step:

| you have | take | why |
|---|---|---|
| no finer feature map | {dysample} | few parameters, and the best published scores \
without a guide |
| no finer feature map, and cost does not matter | {carafe} or {dysample} | a wide window \
against four taps: try both |
| a finer feature map, and boundaries matter | {fade}, {fade_lite} or {sapa_b}; {sapa_d} if cost \
does not matter | they take boundaries from the guide |
| a finer feature map, and no parameters to spare | {sapa_i} | it uses inner products only |
| a feature pyramid for detection, instance or panoptic segmentation | {dysample} \
(`dysample_plus`) | best published results for its cost; any size works, such as 13 -> 25 |
| a SegFormer or MaskFormer head | {dysample} (`dysample_s_plus`), or {fade} with a guide | the \
paper's choice; a guide gains more on boundaries |
| a depth estimator | {dysample} (`dysample_plus`) | the variant that the paper reports for depth |
| a matting model with index pooling in the encoder | {indexnet} or {a2u} | designed for it |
| a CPU, or a runtime with few operators | {bilinear}; then {dysample}, which needs only 1x1 \
convolutions and `grid_sample` | kernel-based upsamplers store k^2 weights per output pixel |
| no budget for extra cost | {nearest} or {bilinear} | no parameters |
| weights trained with one of these | {deconv}, {pixel_shuffle} | baselines; far more expensive |

Learned upsamplers differ less from each other than models do. They differ even less if skip
connections carry detail past the upsampler. Measure the differences on your own data: `dysample
compare` trains the same model with each upsampler, paired by seed.
{compare} shows our results and how much of them is noise.
"""
