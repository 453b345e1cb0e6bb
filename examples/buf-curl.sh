#!/bin/sh
# usage: examples/buf-curl.sh [ADDRESS]    makes a volume, waits until it is there, lists it and deletes it
#
# buf learns the API from the service itself, by reflection. Where that is closed: --schema proto
set -eu
address=${1:-127.0.0.1:8776}

call() { # METHOD REQUEST
  buf curl --protocol grpc --http2-prior-knowledge --header "x-project-id: ${CINDER_PROJECT_ID:-demo}" --data "$2" \
    "http://$address/cinder.api.v3.Volumes/$1"
}
field() { # NAME: the first of its values
  grep -oE "\"$1\": ?\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4
}
# 10 s at most; a program listens to WatchVolumes instead
wait_for() { # WHAT-THE-VOLUME-SAYS
  for _ in $(seq 50); do
    case $(call GetVolume "{\"volume_id\": \"$id\"}" 2>&1 || true) in *"$1"*) return 0 ;; esac
    sleep 0.2
  done
  echo "waited in vain for $1" >&2
  exit 1
}

echo '# all that is wrong with a request comes in one answer'
call CreateVolume '{"size": 0, "snapshot_id": "x"}' 2>&1 | field message

echo '# a volume is accepted at once; the key makes it safe to send this again'
accepted=$(call CreateVolume '{"size": 1, "name": "first", "idempotency_key": "example-1"}')
id=$(echo "$accepted" | field id)
echo "$accepted" | field status

echo '# and made in the background'
wait_for VOLUME_STATUS_AVAILABLE
call ListVolumes '{"page_size": 10}' | field status

echo '# deleted, and gone'
call DeleteVolume "{\"volume_id\": \"$id\"}"
wait_for not_found
call GetVolume "{\"volume_id\": \"$id\"}" 2>&1 | field message
