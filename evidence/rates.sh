#!/usr/bin/env bash
# The learning rate of each task, chosen on bilinear interpolation alone:
#   bash evidence/rates.sh OUTPUT [CAMVID]
set -euo pipefail

output=${1:?"usage: evidence/rates.sh OUTPUT [CAMVID]"}
camvid=${2:-}
compare=(dysample compare --upsamplers bilinear --seeds 1 --output "$output")

for rate in 0.001 0.002 0.004 0.008; do
  "${compare[@]}" --tasks detection,instance,panoptic --steps 200 --size 64 --width 32 \
    --batch-size 4 --learning-rate "$rate"
done
for rate in 0.005 0.01 0.02; do
  "${compare[@]}" --tasks semantic --steps 200 --learning-rate "$rate"
done
for rate in 0.002 0.004 0.008 0.016; do
  "${compare[@]}" --tasks depth --steps 300 --batch-size 8 --learning-rate "$rate"
done

# For tuned.sh, on held-out training images.
if [ -n "$camvid" ]; then
  mkdir -p "$output"
  echo 'held_out: true' >"$output/held_out.yaml"
  for rate in 0.02 0.04 0.08; do
    dysample train --config "$output/held_out.yaml" --task semantic --upsampler bilinear \
      --data "camvid:$camvid" --encoder efficientnet_lite0 --frozen --size 120 --batch-size 8 \
      --steps 400 --learning-rate "$rate" --output "$output/camvid-$rate"
  done
fi
