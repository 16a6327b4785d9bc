#!/usr/bin/env bash
# The runs with a learning rate tuned for each upsampler: bash evidence/tuned.sh OUTPUT [CAMVID]
#
# An hour on two cores. What is in OUTPUT/results.jsonl is not done again, so that it can be stopped and
# started at will.
set -euo pipefail

output=${1:?"usage: evidence/tuned.sh OUTPUT [CAMVID]"}
camvid=${2:-}

compare=(dysample compare --output "$output" --tune --seeds 5)

# As in run.sh.
"${compare[@]}" --tasks semantic --steps 200 --learning-rate 0.01 \
  --upsamplers nearest,bilinear,carafe,fade,sapa_b,dysample,dysample_plus,dysample_s,dysample_s_plus

# On features of ImageNet. The rate is that beyond which bilinear gains no more: see rates.sh.
if [ -n "$camvid" ]; then
  "${compare[@]}" --data "camvid:$camvid" --encoder efficientnet_lite0 --frozen --size 120 \
    --batch-size 8 --steps 400 --learning-rate 0.04 \
    --upsamplers nearest,bilinear,carafe,dysample,dysample_s_plus
fi
