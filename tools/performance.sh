#!/usr/bin/env bash
# Measure every table and the chart of docs/performance.md again: about half an hour
# on 2 idle CPU cores.
set -euo pipefail
cd "$(dirname "$0")/.."

rows=configs/comparison
pair=($rows/maskrcnn_r50_coco.py $rows/maskrcnn_sb_r50_coco.py)
all=("${pair[@]}" $rows/maskrcnn_gc_r16_r50_coco.py $rows/maskrcnn_nl_r50_coco.py)
upernet=($rows/upernet_r50_ade20k.py $rows/upernet_sb_r50_ade20k.py)

# measure NAME FLAG…
measure() {
    python tools/benchmark.py "${@:2}" --out work_dirs/performance/"$1"
}
small=(--sizes 224 --batch-size 4 --rounds 21)
large=(--sizes 512 800 --rounds 21)
measure infer_small "${all[@]}" "${small[@]}"
measure infer "${all[@]}" "${large[@]}"
for flags in --fuse --channels-last '--fuse --channels-last'; do
    name=${flags//[ -]/}
    measure "${name}_small" "${pair[@]}" "${small[@]}" $flags
    measure "$name" "${pair[@]}" "${large[@]}" $flags
done
measure compile "${pair[@]}" --sizes 512 --compile --rounds 21
measure amp "${pair[@]}" "${small[@]}" --dtype bfloat16 --channels-last
measure train "${upernet[@]}" "${small[@]}" --mode train
measure train_channelslast "${upernet[@]}" "${small[@]}" --mode train --channels-last
measure train_amp "${upernet[@]}" "${small[@]}" --mode train --dtype bfloat16 --channels-last
measure whole_upernet "${upernet[@]}" --sizes 512 --whole --rounds 11
measure whole_maskrcnn "${pair[@]}" --sizes 800x1333 --whole --rounds 11

cp work_dirs/performance/infer/chart.png docs/performance.png
python tools/fill_tables.py docs/performance.md
