import { ChannelCredentials, Metadata } from '@grpc/grpc-js';
import {
  type CreateVolumeRequest,
  DeleteVolumeRequest,
  ListVolumesRequest,
  type Volume,
  VolumeFilter,
  VolumesClient,
  VolumeStatus,
} from '#src/gen/cinder/api/v3/volumes.js';

const DEADLINE_MS = 60_000;

/** A client of one project, as a user would write it. */
export class Load {
  readonly #client: VolumesClient;
  readonly #metadata = new Metadata();
  readonly #waiting = new Map<string, (volume: Volume) => void>();
  readonly #early = new Map<string, Volume>();
  #watch: ReturnType<VolumesClient['watchVolumes']> | undefined;

  constructor(address: string) {
    this.#client = new VolumesClient(address, ChannelCredentials.createInsecure());
    this.#metadata.set('x-project-id', 'bench');
  }

  close(): void {
    this.#watch?.cancel();
    this.#client.close();
  }

  /** Opens the one watch that sees every completion. */
  async watch(): Promise<void> {
    const stream = this.#client.watchVolumes({ resumeToken: '', volumeIds: [] }, this.#metadata);
    this.#watch = stream;
    stream.on('data', ({ volume }: { volume?: Volume }) => volume && this.#saw(volume));
    stream.on('error', (error: Error) => {
      if (!error.message.includes('CANCELLED')) throw error;
    });
    await new Promise((resolve) => stream.once('metadata', resolve));
  }

  get(volumeId: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.getVolume({ volumeId }, this.#metadata, { deadline: Date.now() + DEADLINE_MS }, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Whether the project has a volume of this name in this status. */
  has(name: string, status: VolumeStatus): Promise<boolean> {
    const filter = VolumeFilter.fromPartial({ name, statuses: [status] });
    const request = ListVolumesRequest.fromPartial({ pageSize: 1, filter });
    return new Promise((resolve, reject) => {
      this.#client.listVolumes(request, this.#metadata, { deadline: Date.now() + DEADLINE_MS }, (error, response) => {
        if (error) reject(error);
        else resolve(response.volumes.length > 0);
      });
    });
  }

  /** Accepted; answers the volume's id. */
  create(request: Partial<CreateVolumeRequest> = { size: 1, name: 'bench' }): Promise<string> {
    return new Promise((resolve, reject) => {
      const whole = { metadata: new Map<string, string>(), ...request };
      this.#client.createVolume(whole, this.#metadata, { deadline: Date.now() + DEADLINE_MS }, (error, response) => {
        if (error) reject(error);
        else resolve(response.volume?.id ?? '');
      });
    });
  }

  /** Accepted. */
  delete(volumeId: string): Promise<void> {
    const request = DeleteVolumeRequest.fromPartial({ volumeId });
    return new Promise((resolve, reject) => {
      this.#client.deleteVolume(request, this.#metadata, { deadline: Date.now() + DEADLINE_MS }, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** Seen by the watch as available. Rejects when the volume ends otherwise. */
  finished(id: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (volume: Volume): void => {
        if (volume.status === VolumeStatus.AVAILABLE) resolve();
        else reject(new Error(`${id} ended ${volume.status}: ${volume.statusReason ?? ''}`));
      };
      const early = this.#early.get(id);
      if (early) {
        this.#early.delete(id);
        end(early);
      } else this.#waiting.set(id, end);
    });
  }

  #saw(volume: Volume): void {
    if (volume.status !== VolumeStatus.AVAILABLE && volume.status !== VolumeStatus.ERROR) return;
    const waiting = this.#waiting.get(volume.id);
    if (waiting) {
      this.#waiting.delete(volume.id);
      waiting(volume);
    } else this.#early.set(volume.id, volume);
  }
}

/** Runs `work` `count` times with `concurrency` in flight; answers each one's time in ms and the whole, in s. */
export async function closedLoop(
  count: number,
  concurrency: number,
  work: () => Promise<void>,
): Promise<{ readonly latencies: readonly number[]; readonly seconds: number }> {
  const latencies: number[] = [];
  let begun = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (begun++ < count) {
        const from = performance.now();
        await work();
        latencies.push(performance.now() - from);
      }
    }),
  );
  return { latencies, seconds: (performance.now() - start) / 1_000 };
}
