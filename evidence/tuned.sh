#!/usr/bin/env bash
# The runs with a learning rate tuned for each upsampler:
#   bash evidence/tuned.sh OUTPUT DATA PART ...
#
# DATA holds the folders camvid, rgbd_room, nuclei and pennfudan, the parts are the functions below.
# What is in OUTPUT/results.jsonl is not done again, so that a part can be stopped and started at will.
set -euo pipefail

usage="usage: evidence/tuned.sh OUTPUT DATA PART ..."
output=${1:?"$usage"}
data=${2:?"$usage"}
: "${3:?"$usage"}"

fixed=nearest,bilinear
dysamples=dysample,dysample_plus,dysample_s,dysample_s_plus
main=$fixed,carafe,fade,sapa_b,$dysamples

tuned() { dysample compare --output "$output" --tune --seeds 5 "$@"; }
frozen() { tuned --encoder efficientnet_lite0 --frozen "$@"; }
both_heads() { "$@" --head plain && "$@" --head skip; }

# Street scenes, 320x240.
camvid() {
  both_heads frozen --data "camvid:$data/camvid" --size 240 --width 32 --steps 300 --batch-size 4 \
    --learning-rate 0.01 --upsamplers "$main,indexnet"
}
# The same at half the size.
camvid_small() {
  both_heads frozen --data "camvid:$data/camvid" --size 120 --width 32 --steps 300 --batch-size 8 \
    --learning-rate 0.01 --upsamplers "$fixed,carafe,dysample"
}
# A room with a depth camera, 192x144.
room() {
  both_heads frozen --tasks depth --data "nyu:$data/rgbd_room" --size 144 --width 32 --steps 300 \
    --batch-size 4 --learning-rate 0.008 --upsamplers "$main"
}
