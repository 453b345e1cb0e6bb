#!/bin/sh
# usage: examples/versions.sh [NEW [OLD]]    asks a scheduler of 3.12 and one of 3.9 the same things
#
# The addresses are those of the internal RPC. For two schedulers on one machine, each with its own data:
#   npm start
#   CINDER_RPC_VERSION=cinder-scheduler=3.9 CINDER_DATA_DIR=old CINDER_SCHEDULER_LISTEN=127.0.0.1:8787 \
#     CINDER_API_LISTEN=127.0.0.1:0 CINDER_VOLUME_LISTEN=127.0.0.1:0 CINDER_METRICS_LISTEN=127.0.0.1:0 npm start
set -eu
new=${1:-127.0.0.1:8786}
old=${2:-127.0.0.1:8787}
service=cinder.scheduler.v3.SchedulerManager
# of no volume that there is, so that the work ends as soon as it is looked for
restored='{"volume": {"id": "00000000-0000-4000-8000-000000000001", "size": 1}, "backup_id": "00000000-0000-4000-8000-000000000002"}'

call() { # ADDRESS VERSION METHOD REQUEST
  grpcurl -plaintext -max-time 30 -v -H 'x-project-id: demo' -H "cinder-rpc-version: $2" -d "$4" "$1" "$service/$3" 2>&1 || true
}
brief() { grep -E '^cinder-rpc-server-version|^\{\}|  (Code|Message)|"(reason|served|version|name)":' | sed 's/^[ 	]*//' || true; }

echo '# what came when stands in the proto, which the service itself tells'
grpcurl -plaintext "$new" describe cinder.scheduler.v3.CreateVolumeRequest | grep since
grpcurl -plaintext "$new" describe $service.CreateBackup | grep since

echo '# a request says the version it was written for'
grpcurl -plaintext -max-time 30 -d '{}' "$old" $service/GetPools 2>&1 | brief

echo '# what is old enough is taken by both; each answers with its own version'
call "$new" 3.0 GetPools '{"filters": {"name": "none"}}' | brief
call "$old" 3.0 GetPools '{"filters": {"name": "none"}}' | brief

echo '# a volume with a backup_id is a message of 3.10: taken by 3.12'
call "$new" 3.10 CreateVolume "$restored" | brief

echo '# and refused by 3.9, which says what it speaks'
call "$old" 3.10 CreateVolume "$restored" | brief

echo '# so a client leaves the backup_id out and sends it as 3.0'
call "$old" 3.0 CreateVolume "$(echo "$restored" | sed 's/, "backup_id.*/}/')" | brief

echo '# a method of 3.12 does not exist for 3.9, whatever version is claimed'
call "$old" 3.9 CreateBackup '{}' | brief
