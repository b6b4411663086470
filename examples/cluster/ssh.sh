#!/bin/sh
# Jobs by plain ssh: `ssh.sh submit|state|cancel`. JOBS_HOSTS names the machines, each of which runs one job at a time;
# JOBS_SSH is how to call one, `ssh -o BatchMode=yes` by default. The state of jobs is in JOBS_DIR, a folder of this machine,
# which needs flock.
set -eu
ssh=${JOBS_SSH:-ssh -o BatchMode=yes -o ConnectTimeout=10}
dir=${JOBS_DIR:-$HOME/.cache/burgeon-ssh}
mkdir -p "$dir"

# Whether the process of a job is still there: `HOST PID` of file $1. 0 yes, 1 no, 2 not known.
alive() {
  read -r host pid <"$1" || return 1
  case $pid in '' | *[!0-9]*) return 1 ;; esac
  answer=$($ssh "$host" "grep -q '^State:[^Z]*$' /proc/$pid/status 2>/dev/null && echo alive || echo gone" \
    </dev/null) ||
    return 2
  [ "$answer" = alive ]
}

case $1 in
submit)
  # Several are submitted at once, and each machine is given to one.
  exec 9>"$dir/lock"
  for host in $JOBS_HOSTS; do
    case ",$BURGEON_JOB_EXCLUDED," in *",$host,"*) continue ;; esac
    flock 9
    if [ -e "$dir/on-$host" ]; then
      job=$(cat "$dir/on-$host")
      if [ -e "$dir/$job" ]; then
        alive "$dir/$job" && continue || [ $? = 1 ] || continue
      # It is about to be started, unless that was minutes ago.
      elif [ -z "$(find "$dir/on-$host" -mmin +2)" ]; then
        continue
      fi
    fi
    echo "$BURGEON_JOB_NAME" >"$dir/on-$host"
    flock -u 9
    pid=$($ssh "$host" "BURGEON_NODE='$host' BURGEON_JOB_ID='$BURGEON_JOB_NAME' \
      setsid sh '$BURGEON_JOB_SCRIPT' >>'$BURGEON_JOB_OUTPUT' 2>&1 </dev/null & echo \$!") ||
      { rm -f "$dir/on-$host" && continue; }
    echo "$host $pid" >"$dir/$BURGEON_JOB_NAME"
    echo "$BURGEON_JOB_NAME"
    exit 0
  done
  echo "every machine is busy or excluded; try again" >&2
  exit 1
  ;;
state)
  while read -r name _; do
    [ -e "$dir/$name" ] || continue
    read -r host _ <"$dir/$name"
    code=0
    alive "$dir/$name" || code=$?
    case $code in
    0) echo "$name running $name $host" ;;
    # What it came to is in the run folder.
    1) echo "$name completed $name $host" ;;
    # A machine that cannot be reached says nothing of its job: burgeon watches the heartbeat.
    *) echo "$name running $name $host" ;;
    esac
  done
  ;;
cancel)
  while read -r name _; do
    [ -e "$dir/$name" ] || continue
    read -r host pid <"$dir/$name"
    $ssh "$host" "kill $pid 2>/dev/null || true" </dev/null || true
  done
  ;;
esac
