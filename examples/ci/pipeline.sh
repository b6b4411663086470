#!/usr/bin/env bash
# From a push to a published model, on any build server or none: pull, check, train and grow, judge, publish, tell.
#
#   pipeline.sh REPOSITORY BRANCH STATE [STUDY]
#
# REPOSITORY is what `git fetch` takes; STUDY is the study file in it, study.toml unless said. Below the folder STATE lie
# checkouts/, runs/, models/ (one folder a commit, and the link `production`) and verdicts/ (one file a commit).
# Exit codes are burgeon's: 0 published, 3 the gate was not passed, 2 the study is wrong, others: an error. Only 0 touches
# `production`. Called again for a commit that has its verdict, nothing is done, and the code is the same; called again after a crash, training
# goes on from its last checkpoint. BURGEON names the binary, MAIL_TO who is told where `mail` is installed.
set -euo pipefail

if [ $# -lt 3 ]; then
  echo "usage: pipeline.sh REPOSITORY BRANCH STATE [STUDY]" >&2
  exit 2
fi
repository=$1 branch=$2 state=$3 study=${4:-study.toml}
burgeon=${BURGEON:-burgeon}
case $study in /* | *..*) echo "the study $study must lie in the repository" >&2; exit 2 ;; esac

mkdir -p "$state"/{checkouts,runs,models,verdicts}
state=$(cd "$state" && pwd)
# One build at a time; a second push waits, and finds the newest commit.
exec 9> "$state/lock"
flock 9

stage=pull
say() { printf '[%s] %s\n' "$stage" "$*"; }

# A file that is replaced as a whole says what came of a commit; whoever is told once, is not told again.
tell() {
  local verdict="$state/verdicts/$commit"
  printf '%s\n' "$1" > "$verdict.new"
  mv "$verdict.new" "$verdict"
  say "$1"
  if [ -n "${MAIL_TO:-}" ] && command -v mail > /dev/null; then
    printf '%s\n%s\n' "$1" "$2" | mail -s "$study of $branch: $1" -- "$MAIL_TO" || say "no mail could be sent"
  fi
}

# The repository decides about its content alone: no hooks, no submodules, no filters of the user's own settings.
git_here() { GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git -c core.hooksPath=/dev/null -c core.symlinks=false "$@"; }
[ -d "$state/repository.git" ] || git_here init --quiet --bare "$state/repository.git"
git_here -C "$state/repository.git" fetch --quiet --no-tags --no-recurse-submodules --depth 1 -- \
  "$repository" "+refs/heads/$branch:refs/heads/build"
commit=$(git_here -C "$state/repository.git" rev-parse refs/heads/build)
say "$branch is at $commit"
if [ -f "$state/verdicts/$commit" ]; then
  verdict=$(cat "$state/verdicts/$commit")
  say "already built: $verdict"
  case $verdict in
    published*) exit 0 ;;
    "the gate was not passed"*) exit 3 ;;
    "the study is wrong") exit 2 ;;
    *) exit "${verdict##* }" ;; # "training failed with exit code 1"
  esac
fi
checkout="$state/checkouts/$commit"
mkdir -p "$checkout"
rm -f "$state/repository.git/index"
git_here -C "$state/repository.git" --work-tree "$checkout" checkout --quiet --force build -- .

stage=check
if ! "$burgeon" check "$checkout/$study"; then
  tell "the study is wrong" "What is wrong stands in the log of the build."
  exit 2
fi

stage=train
# Restarted where it died, and continued where this script was killed.
code=0
"$burgeon" supervise -- tune "$checkout/$study" --resume auto --runs "$state/runs/$commit" || code=$?
run=$(find "$state/runs/$commit" -mindepth 1 -maxdepth 1 -type d 2> /dev/null | sort | tail -n 1 || true)
accuracy=$(cat "$run/accuracy.txt" 2> /dev/null || true)

stage=judge
case $code in
  0) say "the gate was passed: $accuracy" ;;
  3)
    tell "the gate was not passed: $(sed -n '3s/^[^:]*: //p' "$run/report.md")" "The report: $run/report.html"
    exit 3
    ;;
  # Stopped, not failed: no verdict, so that the next call goes on.
  130 | 143) exit "$code" ;;
  *)
    tell "training failed with exit code $code" "The run: $run"
    exit "$code"
    ;;
esac

stage=publish
# A link is exchanged in one step, so that whoever loads `production` finds the old model or the new one.
rm -rf "$state/models/$commit.new"
cp -R "$run/best" "$state/models/$commit.new"
cp "$run/report.md" "$state/models/$commit.new/"
rm -rf "${state:?}/models/$commit"
mv "$state/models/$commit.new" "$state/models/$commit"
ln -sfn "$commit" "$state/models/production.new"
mv -T "$state/models/production.new" "$state/models/production"

stage=tell
tell "published: $accuracy" "The model: $state/models/$commit; the report: $run/report.html"
