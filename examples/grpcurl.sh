#!/bin/sh
# usage: examples/grpcurl.sh [ADDRESS]    makes a volume, waits until it is there, lists it and deletes it
#
# grpcurl learns the API from the service itself, by reflection: no protos are needed here.
set -eu
address=${1:-127.0.0.1:8776}

call() { # METHOD REQUEST
  grpcurl -plaintext -max-time 30 -H "x-project-id: ${CINDER_PROJECT_ID:-demo}" -d "$2" "$address" "cinder.api.v3.Volumes/$1"
}
brief() { grep -E '"(name|size|status)":' || true; }
# 10 s at most; a program listens to WatchVolumes instead
wait_for() { # WHAT-THE-VOLUME-SAYS
  for _ in $(seq 50); do
    case $(call GetVolume "{\"volume_id\": \"$id\"}" 2>&1 || true) in *"$1"*) return 0 ;; esac
    sleep 0.2
  done
  echo "waited in vain for $1" >&2
  exit 1
}

echo '# the methods'
grpcurl -plaintext "$address" list cinder.api.v3.Volumes | grep -E '(Create|Get|List|Delete|Watch)Volumes?$'

echo '# all that is wrong with a request comes in one answer'
call CreateVolume '{"size": 0, "snapshot_id": "x"}' 2>&1 | grep -E 'Code|"reason"|"field"' || true

echo '# a volume is accepted at once; the key makes it safe to send this again'
accepted=$(call CreateVolume '{"size": 1, "name": "first", "idempotency_key": "example-1"}')
id=$(echo "$accepted" | sed -n 's/.*"id": "\(.*\)",/\1/p')
echo "$accepted" | brief

echo '# and made in the background'
wait_for VOLUME_STATUS_AVAILABLE
call ListVolumes '{"page_size": 10}' | brief

echo '# deleted, and gone'
call DeleteVolume "{\"volume_id\": \"$id\"}"
wait_for NotFound
call GetVolume "{\"volume_id\": \"$id\"}" 2>&1 | grep -E 'Code|Message' || true
