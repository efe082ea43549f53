# shellcheck shell=bash disable=SC2154  # the settings stand above, in the script that reelfarm slurm submit writes
# A worker group: its agent, and the MPI ranks that the agent starts inside this allocation. Or several that share its GPUs.
#   USR1 (Slurm, --signal: the time limit or a preemption comes): the running step is finished, the lease is given back, and
#        the job goes back into the queue; whoever leases the window next goes on after that step
#   TERM (scancel, a preemption without notice): the same as far as Slurm leaves time, without going back into the queue
# Copies the weights to the disk of every node, once per node and version: jobs that share a node wait for one copy.
# shellcheck disable=SC2016  # expanded on the node
stage_on_node='
set -euo pipefail
source=$1 staged=$2
mkdir -p "${staged%/*}"
exec 9>"${staged%/*}/lock"
flock 9
[[ ! -e $staged ]] || exit 0
echo "$SLURMD_NODENAME: copying $source to $staged"
rm -rf "$staged.part"
cp -rL --preserve=timestamps "$source" "$staged.part"
sync -f "$staged.part"
mv "$staged.part" "$staged"
'
if [[ -n $stage ]]; then
  version=$(cd "$bundle" && find . -type f -printf '%P %s %T@\n' | sort | sha256sum | cut -c1-16)
  staged=$stage/reelfarm-$(id -u)/$version/${bundle##*/}
  run srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" --ntasks-per-node=1 \
    bash -c "$stage_on_node" stage "$bundle" "$staged" || exit
  bundle=$staged
fi

# Groups that share a job share its cores, as those of `reelfarm up` do: by itself each would take them all.
threads=()
if ((groups > 1)) && [[ " ${worker_options[*]} " != *" --threads "* ]]; then
  share=$(($(env -u OMP_NUM_THREADS nproc) / (groups * ranks)))
  threads=(--threads "$((share > 0 ? share : 1))")
fi

# One group; $1: the place of its first GPU among those of the job.
serve() {
  # Code 3: the farm cannot be reached, its job may be waiting or moving.
  local code=3
  while [[ $code == 3 && $stopping == no ]]; do
    run "${worker[@]}" --redis "file://$data/farm.json" --data "$data" --bundle "$bundle" --ranks "$ranks" --gpu "$1" \
      --host "$SLURMD_NODENAME" --launcher "$launcher" --wait-for-farm 86400 --idle-exit "$idle_exit" "${threads[@]}" "${worker_options[@]}"
    code=$?
  done
  return "$code"
}

# A subshell has none of its parent's traps, and its own child to pass the signal on to. mpirun is not told that it is inside
# Slurm, and keeps to this node: a step that it asks Slurm for waits for that of the group before.
serve_beside() {
  trap stop TERM INT
  unset SLURM_JOB_ID SLURM_JOBID
  serve "$1"
}

if ((groups == 1)); then
  serve 0
else
  started=()
  for ((group = 0; group < groups; ++group)); do
    serve_beside $((group * ranks)) &
    started+=($!)
  done
  wait_for "${started[@]}"
fi
code=$?

if [[ $requeue == yes ]]; then
  echo "back into the queue, as restart $((${SLURM_RESTART_COUNT:-0} + 1))"
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
