# shellcheck shell=bash disable=SC2034  # stands in both scripts that reelfarm slurm submit writes, before what their job does
# What Slurm tells the job, and how it passes that on to the program that it runs.
set -uo pipefail

requeue=no
stopping=no
children=()
stop() {
  stopping=yes
  [[ ${#children[@]} == 0 ]] || kill -TERM "${children[@]}" 2>/dev/null
}
trap 'requeue=yes; stop' USR1
trap stop TERM INT

# Bash heeds a signal only between commands, and while it waits for one in the background.
run() {
  "$@" &
  wait_for $!
}

# Of processes in the background, whom what Slurm tells is passed on to: the code of the last one that failed, or 0.
wait_for() {
  local child code failure=0
  children=("$@")
  [[ $stopping == no ]] || stop
  for child in "${children[@]}"; do
    while kill -0 "$child" 2>/dev/null; do wait "$child"; done
    wait "$child"
    code=$?
    [[ $code == 0 ]] || failure=$code
  done
  return "$failure"
}

