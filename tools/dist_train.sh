#!/usr/bin/env bash
# Train on several GPUs: dist_train.sh CONFIG GPUS [flags of train.py].
# NNODES, NODE_RANK, MASTER_ADDR and PORT in the environment for several nodes.
set -eu
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [flags of train.py]" >&2
    exit 2
fi
config=$1 gpus=$2
shift 2
exec torchrun --nnodes="${NNODES:-1}" --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" --master-port="${PORT:-29500}" \
    --nproc-per-node="$gpus" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "$@"
