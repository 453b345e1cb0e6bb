#!/bin/sh
# usage: examples/python/generate.sh FOLDER    makes the Python stubs of the public API (pip install grpcio grpcio-tools)
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
cd "$root"
exec "${PYTHON:-python3}" -m grpc_tools.protoc -I proto -I third_party/proto --python_out="$1" --grpc_python_out="$1" \
  proto/cinder/api/v3/*.proto proto/cinder/rpc/v1/options.proto third_party/proto/google/rpc/*.proto
