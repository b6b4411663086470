#!/bin/sh
# Kubernetes Jobs through kubectl: `kubernetes.sh submit|state|cancel`. JOBS_CLAIM names the volume claim that all share,
# JOBS_MOUNT where it is mounted, JOBS_IMAGE the image whose libraries the program needs.
set -eu
claim=${JOBS_CLAIM:-burgeon} mount=${JOBS_MOUNT:-/shared} image=${JOBS_IMAGE:-debian:12-slim}

# The name of an object: lower case, at most 63 characters; the end of the job's name is what tells it apart.
object() { printf %s "$1" | tr 'A-Z_.' 'a-z--' | tail -c 63 | sed 's/^[^a-z0-9]*//'; }

case $1 in
submit)
  name=$(object "$BURGEON_JOB_NAME")
  excluded=
  for node in $(printf %s "$BURGEON_JOB_EXCLUDED" | tr , ' '); do excluded="$excluded\"$node\","; done
  affinity=
  [ -z "$excluded" ] || affinity="affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution:
        {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: NotIn, values: [${excluded%,}]}]}]}}}"
  gpus=
  [ "$BURGEON_JOB_GPUS" = 0 ] || gpus=", nvidia.com/gpu: \"$BURGEON_JOB_GPUS\""
  memory=
  [ -z "$BURGEON_JOB_MEMORY" ] || memory=", memory: \"$BURGEON_JOB_MEMORY\""
  # burgeon itself begins again what failed; a pod that is evicted gets SIGTERM, and ends with its state saved.
  kubectl create -f - >/dev/null <<JOB
apiVersion: batch/v1
kind: Job
metadata:
  name: $name
spec:
  backoffLimit: 0
  ttlSecondsAfterFinished: 86400
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 60
      $affinity
      containers:
      - name: trial
        image: $image
        command: ["sh", "-c", "exec sh '$BURGEON_JOB_SCRIPT' >>'$BURGEON_JOB_OUTPUT' 2>&1"]
        resources: {limits: {cpu: "$BURGEON_JOB_CPUS"$memory$gpus}}
        env:
        - {name: BURGEON_NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: BURGEON_JOB_ID, value: "$name"}
        volumeMounts: [{name: shared, mountPath: "$mount"}]
      volumes: [{name: shared, persistentVolumeClaim: {claimName: "$claim"}}]
JOB
  echo "$name"
  ;;
state)
  # All jobs in one question; then a line for each that was asked for.
  all=$(kubectl get jobs -o \
    'jsonpath={range .items[*]}{.metadata.name},{.status.active},{.status.succeeded},{.status.failed}{"\n"}{end}')
  while read -r job _; do
    name=$(object "$job")
    printf '%s\n' "$all" | while IFS=, read -r found active succeeded failed; do
      [ "$found" = "$name" ] || continue
      if [ "${succeeded:-0}" != 0 ]; then state=completed
      elif [ "${failed:-0}" != 0 ]; then state=failed
      elif [ "${active:-0}" != 0 ]; then state=running
      else state=pending; fi
      echo "$job $state $name"
    done
  done
  ;;
cancel)
  while read -r job _; do kubectl delete job "$(object "$job")" --ignore-not-found --wait=false >/dev/null; done
  ;;
esac
