#!/bin/bash
# Runs the lines of a file as a job array, one run a line:
#
#   sbatch --array=1-$(wc -l < points.txt) launch/slurm/array.sh points.txt
#
# A line is the flags of launch.run, such as
#
#   --workdir=/shared/sweep/1 --flagfile=char_rnn.flags --data=input.txt --seed=1
#
#SBATCH --job-name=rnnlab
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A-%a.out
set -uo pipefail
trap : TERM # the run saves and ends; the script waits for it

line=$(sed -n "${SLURM_ARRAY_TASK_ID}p" "$1")
if [[ -z $line ]]; then
  echo "error: $1 has no line ${SLURM_ARRAY_TASK_ID}; pass --array=1-$(wc -l < "$1")." >&2
  exit 2
fi
read -ra arguments <<< "$line"

srun python -m launch.run --resume "${arguments[@]}"
code=$?
# Stopped and saved: to the end of the queue, and on from there.
if ((code == 143)) && ((${SLURM_RESTART_COUNT:-0} < 100)); then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
