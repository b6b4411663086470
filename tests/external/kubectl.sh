#!/bin/sh
# As much of kubectl as examples/cluster/kubernetes.sh calls: Jobs are processes of this machine, with files in $KUBECTL.
set -eu
cd "$KUBECTL"
case $1 in
create)
  # Several are created at once.
  manifest=.manifest-$$
  cat >$manifest
  name=$(sed -n 's/^  name: //p' $manifest)
  # The real one refuses longer names, and others than these characters.
  printf %s "$name" | grep -qE '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'
  [ ! -e "$name" ] || { echo "jobs \"$name\" already exists" >&2; exit 1; }
  mv $manifest "$name"
  line=$(sed -n 's/.*command: \["sh", "-c", "\(.*\)"\]$/\1/p' "$name")
  # A session of its own, as whoever called ends what it started.
  # shellcheck disable=SC2016
  BURGEON_NODE=pod-host BURGEON_JOB_ID=$name setsid sh -c \
    'code=0; sh -c "$1" || code=$?; echo "$code" >"$2.code"' - "$line" "$name" </dev/null >/dev/null 2>&1 &
  ;;
get)
  for code in *; do
    case $code in *.code | "*") continue ;; esac
    case $(cat "$code.code" 2>/dev/null) in
    "") echo "$code,1,," ;;
    0) echo "$code,,1," ;;
    *) echo "$code,,,1" ;;
    esac
  done
  ;;
delete) [ "$2" = job ] ;;
*) exit 2 ;;
esac
