# shellcheck shell=bash disable=SC2154  # the settings stand above, in the script that reelfarm slurm submit writes
# The farm's Redis, coordinator and stitcher, on one core. Groups find them through the file DATA/farm.json, wherever this
# job runs; Redis keeps its append-only file in DATA/redis. What ends this job loses nothing: the next one goes on.
#   USR1 (Slurm, --signal: the time limit or a preemption comes): stop in order, then back into the queue
#   TERM (scancel): stop in order, and end
# The address under which Slurm itself reaches this node.
address=$(scontrol --oneliner show node "$SLURMD_NODENAME" | sed -nE 's/.* NodeAddr=([^ ]+) .*/\1/p')
run "${reelfarm[@]}" up --groups 0 --data "$data" --redis-listen "${address:-$(hostname)}" --takeover "$takeover" "${up_options[@]}"
code=$?

if [[ $requeue == yes ]]; then
  echo "back into the queue, as restart $((${SLURM_RESTART_COUNT:-0} + 1))"
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
