#!/bin/sh
# A scheduler for tests, of jobs that are processes of this machine: `jobs.sh submit|state|cancel`, in the folder JOBS.
set -eu
mkdir -p "$JOBS"
case $1 in
submit)
  # Told twice, it runs it twice: that this does not happen is for burgeon to see to.
  echo "$BURGEON_JOB_NAME" >>"$JOBS/submitted"
  name=$BURGEON_JOB_NAME.$(grep -cx "$BURGEON_JOB_NAME" "$JOBS/submitted")
  export BURGEON_JOB_ID="$name" BURGEON_NODE=here
  setsid sh -c '
    sh "$BURGEON_JOB_SCRIPT" </dev/null >>"$BURGEON_JOB_OUTPUT" 2>&1 &
    echo $! >"$JOBS/$BURGEON_JOB_ID.pid.new" && mv "$JOBS/$BURGEON_JOB_ID.pid.new" "$JOBS/$BURGEON_JOB_ID.pid"
    wait $!
    echo $? >"$JOBS/$BURGEON_JOB_ID.rc.new" && mv "$JOBS/$BURGEON_JOB_ID.rc.new" "$JOBS/$BURGEON_JOB_ID.rc"
  ' >/dev/null 2>&1 </dev/null &
  until [ -s "$JOBS/$name.pid" ]; do sleep 0.01; done
  # As sbatch does when the answer of the controller is late.
  if [ -e "$JOBS/lie" ]; then rm "$JOBS/lie" && echo "Socket timed out on send/recv operation" >&2 && exit 1; fi
  echo "$name"
  ;;
state)
  while read -r name _; do
    for pid in "$JOBS/$name".*.pid; do
      [ -e "$pid" ] || continue
      id=$(basename "$pid" .pid)
      if [ -e "$JOBS/$id.rc" ]; then
        case $(cat "$JOBS/$id.rc") in 0) state=completed ;; *) state=failed ;; esac
      else
        state=running
      fi
      echo "$name $state $id here"
    done
  done
  ;;
cancel)
  while read -r _ id; do
    [ ! -e "$JOBS/$id.rc" ] && [ -e "$JOBS/$id.pid" ] && kill "$(cat "$JOBS/$id.pid")" 2>/dev/null || true
  done
  ;;
esac
