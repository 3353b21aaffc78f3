#!/usr/bin/env bash
# Make every table and picture of docs/evidence.md again. What is finished is not
# repeated. About four hours on 2 CPU cores.
set -euo pipefail
cd "$(dirname "$0")/.."

out=work_dirs/evidence
three=(--seeds 0 1 2 --jobs 2)
networks=(configs/probe/{r50,sb_r50,gc_r16_r50,nl_r50,sb_plugin_r50,sb_nl_r50}_probe.py)

for cue in beacon none local; do
    python tools/make_beacons.py data/probe/$cue --num-train 800 --num-val 200 \
        --size 192 --cue $cue
done
python tools/get_flops.py "${networks[@]}" --receptive-field --out $out/complexity
python tools/run_matrix.py "${networks[@]}" "${three[@]}" \
    --work-dir $out/probe --out $out/networks --baseline r50_probe
python tools/run_matrix.py configs/probe/sb_r50_probe.py configs/probe/ablation/*.py \
    "${three[@]}" --work-dir $out/probe --out $out/ablation
python tools/run_matrix.py configs/probe/upgrade/{r50,sb_r50,gc_r16_r50,nl_r50,sb_plugin_r50}_upgrade.py \
    "${three[@]}" --work-dir $out/upgrade --baseline r50_upgrade
for cue in none local; do
    PROBE_CUE=$cue python tools/run_matrix.py "${networks[@]}" "${three[@]}" \
        --work-dir $out/$cue --baseline r50_probe
done

python tools/run_matrix.py configs/probe/maskrcnn_{r50,gc_r16_r50,sb_r50}_beacons.py \
    "${three[@]}" --work-dir $out/detector --baseline maskrcnn_r50_beacons

image=00000003
python tools/show_bias.py configs/probe/sb_r50_probe.py \
    $out/probe/sb_r50_probe/seed_0/iter_600.pth \
    data/probe/beacon/images/validation/$image.jpg --out $out/maps
cp $out/maps/vis_data/vis_image/${image}_layer2_0.png docs/evidence_maps.png
for picture in networks/distance detector/distance; do
    [ ! -e $out/$picture.png ] || cp $out/$picture.png docs/evidence_${picture%/*}.png
done
python tools/fill_tables.py docs/evidence.md --keep-missing
