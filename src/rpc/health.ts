import {
  type sendUnaryData,
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  status as Code,
} from '@grpc/grpc-js';
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
  type HealthListRequest,
  type HealthListResponse,
  HealthService,
} from '../gen/grpc/health/v1/health.js';

type Watch = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

/** Most watches at a time; more are refused. */
const MAX_WATCHES = 1_000;

/** `grpc.health.v1` for `""`, the whole server, and each of its services by full name. */
export class Health {
  readonly #serving: Map<string, boolean>;
  /** Each with the service it asked for. */
  readonly #watches = new Map<Watch, string>();

  constructor(services: readonly string[]) {
    this.#serving = new Map(['', ...services].map((service) => [service, true]));
  }

  /** Adds the service to a server. */
  addTo(server: Server): void {
    server.addService(HealthService, {
      check: (
        call: ServerUnaryCall<HealthCheckRequest, HealthCheckResponse>,
        respond: sendUnaryData<HealthCheckResponse>,
      ) => this.#check(call.request.service, respond),
      list: (
        _call: ServerUnaryCall<HealthListRequest, HealthListResponse>,
        respond: sendUnaryData<HealthListResponse>,
      ) =>
        respond(null, {
          statuses: new Map([...this.#serving.keys()].map((service) => [service, this.#statusOf(service)])),
        }),
      watch: (call: Watch) => this.#watch(call),
    });
  }

  /** Says of one service, or of all, whether it takes requests; watchers are told. */
  setServing(serving: boolean, service?: string): void {
    for (const name of service === undefined ? this.#serving.keys() : [service]) this.#serving.set(name, serving);
    for (const [watch, name] of this.#watches) {
      if (service === undefined || service === name) watch.write(this.#statusOf(name));
    }
  }

  /** Ends the watches: open streams would keep a stopping server. */
  close(): void {
    for (const watch of this.#watches.keys()) watch.end();
    this.#watches.clear();
  }

  #check(service: string, respond: sendUnaryData<HealthCheckResponse>): void {
    if (this.#serving.has(service)) respond(null, this.#statusOf(service));
    else respond({ code: Code.NOT_FOUND, details: `unknown service ${service}` });
  }

  #watch(call: Watch): void {
    if (this.#watches.size >= MAX_WATCHES) {
      call.emit('error', { code: Code.RESOURCE_EXHAUSTED, details: `more than ${MAX_WATCHES} health watches` });
      return;
    }
    const { service } = call.request;
    this.#watches.set(call, service);
    call.once('close', () => this.#watches.delete(call));
    call.write(this.#statusOf(service));
  }

  #statusOf(service: string): HealthCheckResponse {
    const serving = this.#serving.get(service);
    if (serving === undefined) return { status: Serving.SERVICE_UNKNOWN };
    return { status: serving ? Serving.SERVING : Serving.NOT_SERVING };
  }
}
