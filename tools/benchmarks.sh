#!/usr/bin/env bash
# Run what is missing of the benchmarks of docs/comparison.md, and make their tables
# and pictures: benchmarks.sh [nuclei] [nuclei_pretrained] [camvid] [cifar10], by default
# all of them, but for the second where its weights are missing. What is finished is not
# repeated. JOBS=2 runs at a time; OUT=DIR for the runs; SEEDS='0 1' of the plain and the
# SB row, by default 0 to 4, of the others 2 to 4; ROWS= for no others, ROWS='FILE …' for
# some; OPTIONS='KEY=VALUE …' for every config, such as weights to start from; SHORT=1 for
# a sign of life. TABLES=DIR for the tables and pictures of all runs that were ever there,
# DIR/nuclei and so on, of which the work dirs may be gone (default: with the runs, of
# those alone).
set -euo pipefail
cd "$(dirname "$0")/.."

weights=data/open_nsfw_r50.pth
missing="no $weights; docs/checkpoints.md makes it"
if [ $# = 0 ]; then
    set -- nuclei camvid cifar10
    [ -e $weights ] && set -- "$@" nuclei_pretrained || echo "without nuclei_pretrained: $missing"
fi
for name; do
    folder=configs/benchmarks/$name data=$name groups=()
    case $name in
    nuclei | nuclei_pretrained) network=maskrcnn data=dsb2018 speed=(--sizes 224)
        short=(train_cfg.max_iters=60 train_cfg.val_interval=60) ;;
    camvid) network=upernet speed=(--sizes 360x480)
        groups=(--images '0001TP_*' 'Seq05VD_*')  # a drive at dusk, one by day
        short=(train_cfg.max_iters=50 train_cfg.val_interval=50) ;;
    cifar10) network= speed=(--sizes 32 --batch-size 128)
        # bfloat16 takes hours where the processor has none
        short=(train_cfg.max_epochs=1 train_cfg.val_interval=1
            optim_wrapper.type=OptimWrapper) ;;
    *) echo "error: no benchmark $name; there are nuclei, nuclei_pretrained, camvid" \
            "and cifar10" >&2
        exit 2 ;;
    esac
    depth=$([ $name = cifar10 ] && echo 20 || echo 50)
    plain=${network:+${network}_}r${depth}_$name
    pair=($folder/$plain.py $folder/${network:+${network}_}sb_r${depth}_$name.py)
    [ -d data/$data ] || {
        echo "error: no data/$data; tools/dataset_converters/$data.py --help says" \
            "where to get it" >&2
        exit 2
    }
    [ $name != nuclei_pretrained ] || [ -e $weights ] || {
        echo "error: $missing" >&2
        exit 2
    }

    out=${OUT:-work_dirs/benchmarks}/$name
    options=(${OPTIONS:-}) rows=(${ROWS-$folder/*.py}) seeds=(2 3 4) pair_seeds=(${SEEDS:-0 1 2 3 4})
    if [ "${SHORT:-}" ]; then
        out+=_short options+=("${short[@]}") rows=() seeds=(0) pair_seeds=(0)
    fi
    tables=$out keep=()
    [ -z "${TABLES:-}" ] || tables=$TABLES/$name keep=(--keep)
    flags=(--jobs "${JOBS:-1}" --test --baseline $plain --work-dir "$out" --out "$tables"
        "${keep[@]}" ${options[@]:+--cfg-options "${options[@]}"})
    python tools/run_matrix.py "${pair[@]}" --seeds ${pair_seeds[@]} "${flags[@]}"
    [ ${#rows[@]} = 0 ] ||
        python tools/run_matrix.py "${rows[@]}" --seeds ${seeds[@]} "${flags[@]}"
    networks=($(printf '%s\n' "${pair[@]}" "${rows[@]}" | awk 'NF && !there[$0]++'))
    for config in "${networks[@]}"; do
        grep -qs "\"$(basename $config .py)\"" "$tables/speed/results.json" || {
            python tools/benchmark.py "${networks[@]}" --whole "${speed[@]}" --out "$tables/speed"
            break
        }
    done

    runs=("$out"/*/seed_*/predictions*)
    [ -e "$runs" ] || continue  # the tables had everything
    runs=($(dirname "${runs[@]}" | uniq))
    python tools/compare.py "${runs[@]}" --baseline $plain "${keep[@]}" \
        --speed "$tables/speed/results.json" --out "$tables"
    python tools/breakdown.py "${runs[@]}" --baseline $plain "${keep[@]}" "${groups[@]}" \
        --out "$tables/breakdown"
done
if [ "${TABLES:-}" ]; then
    folders=()
    for name in nuclei nuclei_pretrained camvid cifar10; do
        [ ! -e "$TABLES/$name/table.csv" ] || folders+=("$TABLES/$name")
    done
    python tools/summarize_benchmarks.py "${folders[@]}" --out "$TABLES"
    python tools/fill_tables.py README.md docs/comparison.md --keep-missing
fi
