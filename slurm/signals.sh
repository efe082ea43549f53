# shellcheck shell=bash disable=SC2034  # stands in both scripts that reelfarm slurm submit writes, before what their job does
# What Slurm tells the job, and how it passes that on to the program that it runs.
set -uo pipefail

requeue=no
stopping=no
child=
stop() {
  stopping=yes
  [[ -z $child ]] || kill -TERM "$child" 2>/dev/null
}
trap 'requeue=yes; stop' USR1
trap stop TERM INT

# Bash heeds a signal only between commands, and while it waits for one in the background.
run() {
  "$@" &
  child=$!
  [[ $stopping == no ]] || stop
  while kill -0 "$child" 2>/dev/null; do wait "$child"; done
  wait "$child"
}

