#!/usr/bin/env bash
#SBATCH --job-name=generative-pipeline
#SBATCH --nodes=1
#SBATCH --gpus=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@60
#SBATCH --requeue
#SBATCH --output=slurm-%j.log
# The whole pipeline on one node with a GPU: `sbatch cluster/slurm.sh [targets]`, from the root of the checkout, after `make .venv/installed`.
# A job that is cut off stops its stages, and continues from their checkpoints when it starts again.
set -euo pipefail
cd "$SLURM_SUBMIT_DIR"
export PATH="$PWD/.venv/bin:$PATH"

remote=$(dvc config core.remote || true)
if [ -n "$remote" ]; then
  dvc pull --run-cache --allow-missing || echo "not all of it is in the remote; the rest is computed"
fi

# in the background, so that bash passes Slurm's signal on at once
: "${CUDA_VISIBLE_DEVICES:?this job has no GPU}"
python -m pipeline.repro --per-gpu "${PER_GPU:-2}" "$@" &
runner=$!
trap 'kill -TERM "$runner"' TERM INT
status=0
wait "$runner" || status=$?
wait "$runner" || status=$? # the first one also ends with the signal

python -m pipeline.tracking sync || true
if [ -n "$remote" ]; then
  dvc push --run-cache
fi
exit "$status"
