#!/bin/sh
# What a bare Debian or Ubuntu needs, and the set-up: Python, a compiler, the
# locked stack and sb_mm. Run as root in a checkout; the environment comes to
# .venv, or to $1.
set -e
cd "$(dirname "$0")/.."
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -qy --no-install-recommends \
    g++ git make ca-certificates python3 python3-dev python3-venv
make -s setup VENV="${1:-.venv}"
"${1:-.venv}"/bin/python tools/doctor.py
