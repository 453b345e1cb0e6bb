"""Makes a volume, watches until it is there, lists it and deletes it.

usage: examples/python/generate.sh stubs && PYTHONPATH=stubs python3 examples/python/volumes.py [ADDRESS]
"""

import os
import sys
import uuid
from pathlib import Path

import grpc
from cinder.api.v3 import volumes_pb2 as api
from cinder.api.v3 import volumes_pb2_grpc
from google.rpc import error_details_pb2, status_pb2

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8776"
PROJECT = os.environ.get("CINDER_PROJECT_ID", "demo")
# What is safe to repeat is retried, by rules that are published with the protos.
SERVICE_CONFIG = Path(__file__, "../../../proto/service_config.json").resolve().read_text()
TIMEOUT = 30  # seconds; a call without a deadline may wait for ever


def caller():
    """Who calls, and an id by which the call is found in the services' logs."""
    return [("x-project-id", PROJECT), ("x-openstack-request-id", f"req-{uuid.uuid4()}")]


def detail(error, kind):
    """One of an error's rich details, if it has it."""
    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    for packed in status.details:
        if packed.Is(kind.DESCRIPTOR):
            unpacked = kind()
            packed.Unpack(unpacked)
            return unpacked
    return None


def main(volumes):
    # All that is wrong with a request comes in one answer, field by field.
    try:
        volumes.CreateVolume(api.CreateVolumeRequest(size=0, name="x" * 256), metadata=caller(), timeout=TIMEOUT)
    except grpc.RpcError as error:
        for bad in detail(error, error_details_pb2.BadRequest).field_violations:
            print(f"bad: {bad.field} {bad.description}")

    # The watch begins before the volume does, so that it misses nothing.
    watch = volumes.WatchVolumes(api.WatchVolumesRequest(), metadata=caller(), timeout=TIMEOUT)
    watch.initial_metadata()  # waits until it has begun

    # A key makes it safe to send the request again, after a timeout too: there is never a second volume.
    request = api.CreateVolumeRequest(size=1, name="first", metadata={"for": "you"}, idempotency_key=str(uuid.uuid4()))
    accepted = volumes.CreateVolume(request, metadata=caller(), timeout=TIMEOUT).volume
    again = volumes.CreateVolume(request, metadata=caller(), timeout=TIMEOUT).volume
    print(f"accepted: {accepted.id}")
    print(f"the same again: {again.id == accepted.id}")

    for change in watch:
        if change.volume.status == api.VOLUME_STATUS_AVAILABLE:
            volume = change.volume
            print(f"made: {volume.name}, {volume.size} GiB, {api.VolumeStatus.Name(volume.status)}")
            break

    for volume in volumes.ListVolumes(api.ListVolumesRequest(page_size=10), metadata=caller(), timeout=TIMEOUT).volumes:
        print(f"listed: {volume.name} {api.VolumeStatus.Name(volume.status)} {dict(volume.metadata)}")

    volumes.DeleteVolume(api.DeleteVolumeRequest(volume_id=accepted.id), metadata=caller(), timeout=TIMEOUT)
    for change in watch:
        if change.volume.status == api.VOLUME_STATUS_DELETED:
            break
    watch.cancel()

    try:
        volumes.GetVolume(api.GetVolumeRequest(volume_id=accepted.id), metadata=caller(), timeout=TIMEOUT)
    except grpc.RpcError as error:
        reason = detail(error, error_details_pb2.ErrorInfo).reason
        print(f"gone: {error.code().name} {reason}: {error.details()}")


with grpc.insecure_channel(ADDRESS, options=[("grpc.service_config", SERVICE_CONFIG)]) as channel:
    main(volumes_pb2_grpc.VolumesStub(channel))
