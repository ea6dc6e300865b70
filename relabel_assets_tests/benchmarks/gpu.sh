#!/bin/sh
# Measures students on this machine's GPU in about ten minutes: a decoder of 3.8 billion random weights
# (grading and a training step, as a share of the card's peak) and late interaction.
#
#     sh relabel_assets_tests/benchmarks/gpu.sh            # PYTHON=... chooses another python3
#     sh relabel_assets_tests/benchmarks/gpu.sh --tiny     # the same code on a CPU, in a minute
#
# It needs a checkout and a python3 with torch and transformers; nothing is installed or downloaded. A part
# that fails costs the others nothing.
set -u
cd "$(dirname "$0")/../.." || exit 1
python=${PYTHON:-python3}
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
status=0
for part in decoder_gpu late_interaction_gpu; do
    echo "== $part"
    timeout "${LIMIT_S:-400}" "$python" -W ignore -m "relabel_assets_tests.benchmarks.$part" "$@" || {
        echo "$part failed or took longer than ${LIMIT_S:-400} s"
        status=1
    }
done
exit "$status"
