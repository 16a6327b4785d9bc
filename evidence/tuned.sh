#!/usr/bin/env bash
# The runs on frozen features and photographs, and those with tuned rates:
#   bash evidence/tuned.sh OUTPUT DATA [PART ...]
#
# DATA holds the folders camvid, rgbd_room, nuclei and pennfudan. Six hours on two cores for all parts;
# what is in OUTPUT/results.jsonl is not done again, so that it can be stopped and started at will.
set -euo pipefail

output=${1:?"usage: evidence/tuned.sh OUTPUT DATA [PART ...]"}
data=${2:?"usage: evidence/tuned.sh OUTPUT DATA [PART ...]"}
parts=("${@:3}")

unguided=nearest,bilinear,carafe,dysample,dysample_plus,dysample_s,dysample_s_plus
