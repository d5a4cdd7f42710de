#!/usr/bin/env bash
# Tests Tern on this machine's NVIDIA GPU and measures its training. Needs a driver of version 580 or newer, nothing else.
# With PyTorch in python3 (or in the program that PYTHON names), its speed on the same GPU is printed beside Tern's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export LD_LIBRARY_PATH="$PWD/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
python="${PYTHON:-python3}"

if ! ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1' && ! nvidia-smi >/dev/null 2>&1; then
    echo "no NVIDIA driver: libcuda.so.1 is missing; install a driver of version 580 or newer" >&2
    exit 1
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || true

echo "== tests of the kernels on the GPU"
bin/kernels --nocapture
bin/device --nocapture

echo "== training on the CPU and on the GPU"
rm -rf model-cpu model-cuda
# The first "accuracy" of the figures is that of the validation rows.
accuracy() {
    bin/tern train data/train.csv -o "model-$1" --device "$1" --seed 1 --no-baselines --json |
        tr ',{' '\n\n' | sed -n 's/.*"accuracy": *\([0-9.]*\).*/\1/p' | head -n 1
}
cpu="$(accuracy cpu)"
cuda="$(accuracy cuda)"
echo "validation accuracy: cpu $cpu, cuda $cuda"
awk -v cpu="$cpu" -v cuda="$cuda" 'BEGIN { exit !(cpu > 0 && cuda > 0 && cuda >= cpu - 0.01) }' || {
    echo "the model of the GPU is less accurate than that of the CPU" >&2
    exit 1
}

echo "== tokens per second, median of five passes"
has_torch=false
if "$python" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then has_torch=true; fi
$has_torch || echo "$python has no PyTorch with CUDA: only Tern is measured"
# Runs a worker for a first pass and five more, and prints the median of their tokens per second.
speed() {
    printf 'go\n%.0s' 1 2 3 4 5 | "$@" | tr -d '{}"' |
        awk -F'[:,]' '/seconds/ { for (i = 1; i < NF; i += 2) { gsub(/ /, "", $i); value[$i] = $(i + 1) } print value["tokens"] / value["seconds"] }' |
        sort -g | sed -n 3p
}
printf '%-8s%-8s%14s%18s%18s\n' hidden batch tern pytorch pytorch-bucketed
for recipe in bench/h*-b*.toml; do
    name="$(basename "$recipe" .toml)"
    hidden="${name#h}"
    hidden="${hidden%-b*}"
    batch="${name#*-b}"
    tern="$(speed bin/bench_step "$recipe")"
    padded=-
    bucketed=-
    if $has_torch; then
        options=(--cell lstm --vocabulary 20000 --embedding 20 --hidden "$hidden" --batch "$batch" --threads 1 --device cuda)
        padded="$(speed "$python" bench/pytorch.py bench/texts.csv "${options[@]}")"
        bucketed="$(speed "$python" bench/pytorch.py bench/texts.csv "${options[@]}" --bucketed)"
    fi
    printf '%-8s%-8s%14s%18s%18s\n' "$hidden" "$batch" "$tern" "$padded" "$bucketed"
done
