import type { ExecutionContext } from 'ava';
import type { RequestContext } from '#src/objects/request-context.js';
import { OBJECT_VERSION } from '#src/rpc/object-history.js';
import { serviceNameOf } from '#src/rpc/service-definition.js';
import { formatVersion, versionOf } from '#src/rpc/version-number.js';
import { internalApiOf, type InternalMethod } from '#src/rpc/versions.js';
import { oldServer, oldService } from '../../support/old-peers.js';
import { MEBIBYTE, rules } from '../../support/rpc.js';
import { type Api, callByName, camel, deliver, type Message, TARGET } from './apis.js';
import { fullMessage } from './full-message.js';
import { methodOf, outcomeOf, type Seen, withoutAnswer } from './outcome.js';
import { isWithin, type Outcomes, outcomesOf, type Pair } from './pairs.js';
import { Arrivals, productServer, rulesAt } from './servers.js';
import { type Block, type Pairs, tableText } from './table.js';

type Owner = Pick<ExecutionContext, 'teardown'>;

/** Refused whatever is sent. */
const OTHER_MAJORS = ['2.5', '4.0'];
/** Entries of the object history: too old, all there are, and one that is newer than this code. */
const OBJECTS = ['1.37', '1.38', '1.39', '1.40'];

/** What the records say of the one server that there is. */
interface Told {
  readonly rpc: string;
  readonly objects: string;
}

interface Running {
  readonly address: string;
  readonly version: string;
}

/** Every method between a client and a server of every version, over real gRPC; as text. */
export async function matrixText(t: Owner, api: Api, head: string): Promise<string> {
  const matrix = new Matrix(t, api);
  await matrix.start();
  const { versions } = api;
  const newest = versions.at(-1) ?? '';
  const all = versions.flatMap((one) => versions.map((other) => ({ one, other })));
  const tooNew = all.filter(({ one, other }) => versions.indexOf(one) > versions.indexOf(other));
  const known = await outcomesOf(all, (pair) => matrix.known(pair));
  const stale = await outcomesOf(all, (pair) => matrix.stale(pair));
  const bare = await outcomesOf(tooNew, (pair) => matrix.bare(pair));
  const objects = await outcomesOf(
    OBJECTS.map((one) => ({ one, other: '' })),
    ({ one }) => matrix.knowing(one),
  );
  const majors = await outcomesOf(
    OTHER_MAJORS.flatMap((one) =>
      versions.flatMap((other) => [
        { one, other },
        { one: other, other: one },
      ]),
    ),
    (pair) => matrix.known(pair),
  );
  const blocks = matrix.calls.map(({ title, rules: said, isDelivered }): Block => {
    const [ours, old] = [stale(title, () => true), bare(title, () => true)];
    return {
      name: title,
      rules: said,
      pairs: [
        { first: 'client', second: 'server', outcomes: known(title, () => true) },
        { first: 'thought', second: 'is', outcomes: ours },
        ...(isDelivered || isWithin(old, ours) ? [] : [{ first: 'thought', second: 'bare', outcomes: old }]),
        { first: 'objects', outcomes: objects(title, () => true) },
      ],
    };
  });
  const others = matrix.calls.map(({ title }): Block => {
    refuseOthers(
      title,
      majors(title, () => true),
    );
    const ofNewest = ({ one }: Pair): boolean => OTHER_MAJORS.includes(one) || one === newest;
    return {
      name: title,
      rules: 'and other majors',
      pairs: [{ first: 'client', second: 'server', outcomes: majors(title, ofNewest) }],
    };
  });
  return tableText(head, [...blocks, ...others]);
}

/** The older the client itself is, the less it sends: but never is anything taken. */
function refuseOthers(title: string, outcomes: Pairs['outcomes']): void {
  for (const [one, row] of outcomes) {
    for (const [other, outcome] of row) {
      if (!outcome.startsWith('refused')) throw new Error(`${title} from ${one} to ${other} was ${outcome}`);
    }
  }
}

/** One call of the matrix. */
interface Call {
  readonly method: string;
  readonly title: string;
  readonly rules: string;
  readonly request: Message;
  /** From a row, as a durable cast travels; otherwise as a single RPC. */
  readonly isDelivered?: boolean;
}

class Matrix {
  readonly calls: readonly Call[];
  readonly #t: Owner;
  readonly #api: Api;
  readonly #service: string;
  readonly #arrivals = new Arrivals();
  readonly #servers = new Map<string, Running>();
  readonly #bareServers = new Map<string, Running>();
  #newest: ReadonlyMap<string, Seen> = new Map();
  #requests = 0;

  constructor(t: Owner, api: Api) {
    this.#t = t;
    this.#api = api;
    this.#service = serviceNameOf(api.definition);
    this.calls = [...internalApiOf(rules, this.#service).methods.values()].flatMap((method) => this.#callsOf(method));
  }

  /** A server of each version; and how each call goes between two of the newest. */
  async start(): Promise<void> {
    const { binary, versions } = this.#api;
    for (const version of [...versions, ...OTHER_MAJORS]) {
      const server = await productServer(this.#api, version, this.#arrivals);
      this.#t.teardown(() => server.stop(1_000));
      this.#servers.set(version, { address: server.address, version });
    }
    for (const version of versions) {
      const old = await oldService(this.#t, `${binary}=${version},objects=1.39`, this.#service);
      const server = await oldServer(old, versionOf(version), ({ requestId, ...arrival }) =>
        this.#arrivals.note(requestId, arrival),
      );
      this.#t.teardown(server.stop);
      this.#bareServers.set(version, { address: server.address, version });
    }
    this.#newest = await this.seen(this.#newestVersion, serverIn(this.#servers, this.#newestVersion), {
      ...{ rpc: this.#newestVersion, objects: OBJECT_VERSION },
    });
  }

  /** The client knows what the server is. */
  known({ one: client, other: server }: Pair): Promise<Outcomes> {
    return this.#outcomes(client, serverIn(this.#servers, server), { rpc: server, objects: OBJECT_VERSION });
  }

  /** The records say something else than the server is, and go on saying so. */
  stale({ one: thought, other: server }: Pair): Promise<Outcomes> {
    const told = { rpc: thought, objects: OBJECT_VERSION };
    return this.#outcomes(this.#newestVersion, serverIn(this.#servers, server), told);
  }

  /** The client has read the records before the server became an old one, which refuses without a word, and answers nothing. */
  async bare({ one: thought, other: server }: Pair): Promise<Outcomes> {
    const told = { rpc: thought, objects: OBJECT_VERSION };
    const later = { ...told, rpc: server };
    // who knows no `Deliver` gets single RPCs
    const calls = this.calls.filter(({ isDelivered }) => !isDelivered);
    const outcomes = await this.#outcomes(this.#newestVersion, serverIn(this.#bareServers, server), told, {
      ...{ later, calls },
    });
    return new Map([...outcomes].map(([title, outcome]) => [title, withoutAnswer(outcome)]));
  }

  /** Two of the newest version, of which the one knows the objects of another entry of the history. */
  knowing(objects: string): Promise<Outcomes> {
    const told = { rpc: this.#newestVersion, objects };
    return this.#outcomes(this.#newestVersion, serverIn(this.#servers, this.#newestVersion), told);
  }

  get #newestVersion(): string {
    return this.#api.versions.at(-1) ?? '';
  }

  /** A call that says everything; and, where that needs a version and the caller has the say, one that says nothing newer. */
  #callsOf({ name, kind, durable, since, request: { fields } }: InternalMethod): readonly Call[] {
    const decode = this.#api.definition[camel(name)]?.requestDeserialize;
    const request = decode?.(fullMessage(methodOf(this.#service, name).input)) as Message;
    const whole = {
      method: name,
      title: name,
      rules: `${kind}${durable ? ', durable' : ''}, since ${formatVersion(since)}`,
      request,
    };
    const newer = fields.filter((field) => field.since).map(({ place }) => place);
    const older = Object.fromEntries(newer.map(({ property, empty }) => [property, empty]));
    const ofNothingNewer = { ...whole, title: `${name} of nothing newer`, request: { ...request, ...older } };
    const single = newer.length === 0 || name in this.#api.args ? [whole] : [whole, ofNothingNewer];
    if (!durable) return single;
    return single.flatMap((call) => [call, { ...call, title: `${call.title} delivered`, isDelivered: true }]);
  }

  async #outcomes(
    client: string,
    server: Running,
    told: Told,
    more: Parameters<Matrix['seen']>[3] = {},
  ): Promise<Outcomes> {
    const seen = await this.seen(client, server, told, more);
    return new Map(
      [...seen].map(([title, one]) => {
        const newest = this.#newest.get(title);
        return [title, newest ? outcomeOf(one, newest, this.#service) : 'lost'];
      }),
    );
  }

  /** Makes every call; `later` is what the records say once the client has read them. */
  async seen(
    version: string,
    server: Running,
    told: Told,
    { later = told, calls = this.calls }: { readonly later?: Told; readonly calls?: readonly Call[] } = {},
  ): Promise<ReadonlyMap<string, Seen>> {
    let sent = 0;
    let says = told;
    const peer = { incarnation: 'one', host: 'host', endpoint: server.address, serves: [TARGET] };
    const client = this.#api.makeClient({
      rules: rulesAt(this.#api, version),
      rpcVersion: version,
      registry: {
        versionsOf: async () => [{ host: 'host', rpcVersion: says.rpc, objectVersion: says.objects, silentMs: 0 }],
      },
      readPeers: async () => [peer],
      maxMessageBytes: MEBIBYTE,
      capMaxAgeMs: 600_000,
      observer: { started: () => (sent += 1), handled: () => undefined },
    });
    const seen = new Map<string, Seen>();
    for (const { method, title, request, isDelivered } of calls) {
      says = told;
      client.reset();
      await client.cap();
      says = later;
      sent = 0;
      const requestId = `req-${(this.#requests += 1)}`;
      const context = { ...CONTEXT, requestId };
      const ended = await (isDelivered ? deliver : callByName)(this.#api, client, method, context, request).then(
        (answer) => ({ answer, error: undefined }),
        (error: unknown) => ({ answer: undefined, error }),
      );
      seen.set(title, { ...ended, sent, arrival: this.#arrivals.take(requestId) });
    }
    client.close();
    return seen;
  }
}

const CONTEXT: RequestContext = { requestId: '', projectId: 'project-1', userId: 'user-1', roles: [], traceparent: '' };

function serverIn(servers: ReadonlyMap<string, Running>, version: string): Running {
  const server = servers.get(version);
  if (!server) throw new Error(`no server runs as ${version}`);
  return server;
}
