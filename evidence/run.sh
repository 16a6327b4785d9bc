#!/usr/bin/env bash
# The evidence run: bash evidence/run.sh OUTPUT [CAMVID [PENNFUDAN]]
#
# Three to four hours on two cores. Parts that are in OUTPUT/results.jsonl are not done again, so that
# it can be stopped and started at will. The parts come in order of weight: first three seeds of the
# main upsamplers on every task, last the slowest upsampler.
set -euo pipefail

output=${1:?"usage: evidence/run.sh OUTPUT [CAMVID [PENNFUDAN]]"}
camvid=${2:-}
pennfudan=${3:-}

main=nearest,bilinear,carafe,fade,sapa_b,dysample,dysample_plus,dysample_s,dysample_s_plus
rest=deconv,pixel_shuffle,indexnet,a2u,fade_lite,sapa_i,sapa_g
slowest=sapa_d

# Learning rates are chosen on bilinear alone: see rates.sh and README.md.
semantic() { "${compare[@]}" --tasks semantic --steps 200 --learning-rate 0.01 "$@"; }
depth() { "${compare[@]}" --tasks depth --steps 300 --batch-size 8 --learning-rate 0.008 "$@"; }
pyramid() { "${compare[@]}" --steps 200 --size 64 --width 32 --batch-size 4 "$@"; }
detection() { pyramid --tasks detection --learning-rate 0.004 "$@"; }
instance() { pyramid --tasks instance --learning-rate 0.004 "$@"; }
panoptic() { pyramid --tasks panoptic --learning-rate 0.004 "$@"; }

every_task() {
  semantic "$@"
  semantic --head skip "$@"
  depth "$@"
  depth --head skip "$@"
  detection "$@"
  instance "$@"
  panoptic "$@"
}

compare=(dysample compare --output "$output")
every_task --upsamplers "$main" --seeds 3

# The design of DySample: its steps, scope factor and groups.
semantic --seeds 3 --upsamplers 'dysample_step_*'
semantic --seeds 3 --upsamplers 'dysample(scope_factor=0.1),dysample(scope_factor=0.5),dysample(scope_factor=1.0)'
semantic --seeds 3 --upsamplers 'dysample(groups=1),dysample(groups=2),dysample(groups=8),dysample(groups=16)'

# Photographs.
if [ -n "$camvid" ]; then
  semantic --data "camvid:$camvid" --steps 300 --batch-size 8 --upsamplers "$main" --seeds 3
fi
if [ -n "$pennfudan" ]; then
  instance --data "pennfudan:$pennfudan" --size 96 --upsamplers "$main" --seeds 3
fi

every_task --upsamplers "$rest" --seeds 3
every_task --upsamplers "$main" --seeds 5
every_task --upsamplers "$slowest" --seeds 3
