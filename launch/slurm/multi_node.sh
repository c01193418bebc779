#!/bin/bash
# Runs one training on several nodes, a process for each task:
#
#   sbatch --nodes=4 launch/slurm/multi_node.sh --workdir=/shared/run --data=input.txt
#
# The arguments are flags of launch.run. With GPUs ask for a task for each of them
# (--ntasks-per-node=8 --gres=gpu:8): JAX gives each task of a node one.
#
#SBATCH --job-name=rnnlab
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
set -uo pipefail
trap : TERM # the run saves and ends; the script waits for it

# The first to end must not take the others with it: they may still be saving.
srun --kill-on-bad-exit=0 python -m launch.run --coordinator=slurm --resume "$@"
code=$?
# Stopped and saved (143), or a process was lost (9): to the end of the queue, and on.
if ((code == 143 || code == 9 || code == 137)) && ((${SLURM_RESTART_COUNT:-0} < 100)); then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
