#!/bin/sh
# usage: make-secrets.sh [FOLDER]    makes the secrets that compose.yaml mounts; a folder that exists is left as it is
set -eu
folder=${1:-"$(dirname "$0")/secrets"}
[ ! -e "$folder" ] || { echo "$folder exists already" >&2; exit 1; }
umask 077
random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

mkdir -p "$folder"
database=$(random) redis=$(random) token=$(random)
printf %s "$database" >"$folder/postgres-password"
cat >"$folder/redis.conf" <<CONF
requirepass $redis
maxmemory-policy noeviction
appendonly yes
appendfsync everysec
save ""
dir /data
CONF
cat >"$folder/cinder-grpc.toml" <<CONF
database_url = "postgres://cinder:$database@postgres/cinder"
redis_url = "redis://:$redis@redis:6379"
internal_rpc_secret = "$(random)"
auth_strategy = "tokens"
auth_tokens_file = "/run/secrets/tokens"
CONF
cat >"$folder/tokens.toml" <<CONF
[[tokens]]
sha256 = "$(printf %s "$token" | sha256sum | cut -d ' ' -f 1)"
project_id = "demo"
user_id = "demo"
roles = ["member"]
CONF
# compose mounts files with their owner and mode; the container's user is not this one
chmod 0755 "$folder"
chmod 0444 "$folder"/*
echo "secrets are in $folder; keep that folder where only you can go"
echo "token of project demo, shown this once: $token"
