#!/usr/bin/env bash
# Measure the tables and the chart of docs/performance.md on this machine: about half
# an hour on 2 idle CPU cores. THREADS=4 for more of them, ROUNDS=11 for less time,
# OUT=DIR for another place.
set -euo pipefail
cd "$(dirname "$0")/.."

# the name alone does not tell a processor with AVX-512 from one without
instructions=$(python -c 'import torch; print(torch.backends.cpu.get_cpu_capability())')
machine="$(lscpu | sed -n 's/^Model name: *//p') $instructions"
echo "$machine, $(nproc) CPUs"
out=${OUT:-work_dirs/performance}
rounds=${ROUNDS:-21}
rows=configs/comparison
plain=$rows/maskrcnn_r50_coco.py
pair=($plain $plain $rows/maskrcnn_sb_r50_coco.py)
all=("${pair[@]}" $rows/maskrcnn_gc_r16_r50_coco.py $rows/maskrcnn_nl_r50_coco.py)
plain=$rows/upernet_r50_ade20k.py
upernet=($plain $plain $rows/upernet_sb_r50_ade20k.py)

# measure NAME FLAG…: the name is the row of the table; what is there is not repeated
measure() {
    # AVX2 emulates bfloat16, ten times slower than float32
    [[ $instructions$1 == AVX2*bfloat16* || -e $out/$1/results.json ]] ||
        python tools/benchmark.py "${@:2}" --threads "${THREADS:-2}" --out "$out/$1"
}
small=(--sizes 224 --batch-size 4 --rounds $rounds)
large=(--sizes 512 800 --rounds $rounds)
measure 1_inference_small "${all[@]}" "${small[@]}"
measure 1_inference "${all[@]}" "${large[@]}"
for flags in --channels-last --fuse '--channels-last --fuse'; do
    name=2_${flags//[ -]/}
    measure "${name}_small" "${pair[@]}" "${small[@]}" $flags
    measure "$name" "${pair[@]}" "${large[@]}" $flags
done
measure 3_compile "${pair[@]}" --sizes 512 --compile --rounds $rounds
measure 3_compile_channelslast "${pair[@]}" --sizes 512 --compile --channels-last --rounds $rounds
measure 3_bfloat16_channelslast "${pair[@]}" --sizes 512 --dtype bfloat16 --channels-last --rounds $rounds
measure 3_bfloat16_channelslast_small "${pair[@]}" "${small[@]}" --dtype bfloat16 --channels-last
train=(--sizes 224 --batch-size 2 --rounds $rounds --mode train)
measure 4_training "${upernet[@]}" "${train[@]}"
measure 4_training_channelslast "${upernet[@]}" "${train[@]}" --channels-last
measure 4_training_bfloat16_channelslast "${upernet[@]}" "${train[@]}" --dtype bfloat16 --channels-last
measure 5_UperNet "${upernet[@]}" --sizes 512 --whole --rounds 9
measure 5_Mask_R-CNN "${pair[@]}" --sizes 800x1333 --whole --rounds 9

cp "$out/1_inference/chart.png" docs/performance.png
python tools/summarize_performance.py "$out" --out "$out"
# the document has a table for each make that was measured
cp "$out/table.md" "docs/performance_$(tr -cs 'a-zA-Z0-9\n' _ <<< "${machine,,}").md"
python tools/fill_tables.py docs/performance.md --keep-missing
