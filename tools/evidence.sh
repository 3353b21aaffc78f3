#!/usr/bin/env bash
# Make every table and picture of docs/evidence.md again, in docs/evidence. What is
# finished in work_dirs/evidence is not repeated; JOBS=1 runs at a time. About two
# hours on 2 CPU cores.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=work_dirs/evidence out=docs/evidence probe=configs/probe
three=(--jobs "${JOBS:-2}" --seeds 0 1 2) six=("${three[@]}" 3 4 5)
networks=($probe/{r50,sb_r50,gc_r16_r50,nl_r50,sb_plugin_r50,sb_nl_r50}_probe.py)

for cue in beacon none local; do
    python tools/make_beacons.py data/probe/$cue --num-train 800 --num-val 200 \
        --size 192 --cue $cue
done
python tools/get_flops.py "${networks[@]}" --receptive-field --out $out/complexity
python tools/run_matrix.py "${networks[@]}" "${three[@]}" \
    --work-dir $runs/probe --out $out/networks --baseline r50_probe
python tools/run_matrix.py $probe/upgrade/{r50,sb_r50,gc_r16_r50,nl_r50,sb_plugin_r50}_upgrade.py \
    "${six[@]}" --work-dir $runs/upgrade --out $out/upgrade --baseline r50_upgrade
python tools/run_matrix.py $probe/maskrcnn_{r50,gc_r16_r50,sb_r50}_beacons.py \
    "${three[@]}" --work-dir $runs/detector --out $out/detector --baseline maskrcnn_r50_beacons
for cue in none local; do
    PROBE_CUE=$cue python tools/run_matrix.py "${networks[@]}" "${three[@]}" \
        --work-dir $runs/$cue --out $out/$cue --baseline r50_probe
done
python tools/run_matrix.py $probe/sb_r50_probe.py $probe/ablation/*.py "${three[@]}" \
    --work-dir $runs/probe --out $out/ablation

image=00000003
python tools/show_bias.py $probe/sb_r50_probe.py $runs/probe/sb_r50_probe/seed_0/iter_600.pth \
    data/probe/beacon/images/validation/$image.jpg --out $runs/maps
cp $runs/maps/vis_data/vis_image/${image}_layer2_0.png $out/maps.png
python tools/fill_tables.py docs/evidence.md
