import type { ServiceRecord } from '../db/services.js';
import type { SchemaFacts } from '../db/migrate.js';
import type { PayloadForm } from '../db/upgrade-facts.js';
import { OLDEST_OBJECT_VERSION } from '../rpc/object-history.js';
import type { Level } from '../rpc/older-form.js';
import type { CapExplanation, WeighedService } from '../rpc/version-cap.js';
import { compareVersions, compatible, formatVersion, parseVersion, versionOf } from '../rpc/version-number.js';
import type { InternalApi } from '../rpc/versions.js';

/** What is looked at before an upgrade to this program. */
export interface UpgradeFacts {
  /** Undefined: the database was never migrated. */
  readonly schema: SchemaFacts | undefined;
  readonly ownSchema: SchemaFacts;
  /** Of each binary: its API as this program knows it, and its services. */
  readonly binaries: readonly { readonly api: InternalApi; readonly explanation: CapExplanation }[];
  /** All services that are registered. */
  readonly services: readonly ServiceRecord[];
  /** Hosts of the API processes that live. */
  readonly apiHosts: readonly string[];
  readonly work: readonly PayloadForm[];
  /** Of the oldest change of quota that is not settled, ms; 0: there is none. */
  readonly oldestSettlementMs: number;
  /** The configuration, as far as it says something of versions. */
  readonly pins: Readonly<Record<string, string>>;
  readonly runsAs: Readonly<Record<string, string>>;
  /** `service_down_time`, ms. */
  readonly downAfterMs: number;
  /** `service_version_ttl`, ms. */
  readonly serviceTtlMs: number;
  /** `api_flow_deadline`, ms. */
  readonly flowDeadlineMs: number;
}

/** One thing that was looked at. Rule: cinder/cmd/status.py. */
export interface UpgradeCheck {
  readonly check: string;
  /** `Failure`: an upgrade must not begin. `Warning`: it may; better know this before. */
  readonly result: 'Success' | 'Warning' | 'Failure';
  readonly details: string;
}

/** Whether an upgrade may begin, and what is to be done, in this order. */
export interface UpgradeReport {
  readonly checks: readonly UpgradeCheck[];
  readonly order: readonly string[];
}

type Finding = Pick<UpgradeCheck, 'result' | 'details'>;

/** Work that waits for longer is stuck, ms. */
const LONG_MS = 3_600_000;
/** Flow deadlines after which a change of quota is no longer on its way. */
const LEFT_AFTER = 4;
/** Nothing is sent to a service that knows only older objects. */
const OLDEST_OBJECTS = versionOf(OLDEST_OBJECT_VERSION);

/** Says whether an upgrade to this program may begin, and in which order. Looks at facts only. */
export function upgradeReport(facts: UpgradeFacts): UpgradeReport {
  const checks = Object.entries(CHECKS).flatMap(([check, look]) => {
    const found = look(facts);
    return (found.length > 0 ? found : [SUCCESS]).map((finding) => ({ check, ...finding }));
  });
  return { checks, order: orderOf(facts) };
}

const SUCCESS: Finding = { result: 'Success', details: '' };
const failure = (details: string): Finding => ({ result: 'Failure', details });
const warning = (details: string): Finding => ({ result: 'Warning', details });

const CHECKS: Readonly<Record<string, (facts: UpgradeFacts) => readonly Finding[]>> = {
  'Database schema'({ schema, ownSchema }) {
    if (!schema)
      return [failure('The database has no schema: there is nothing to upgrade. Run `cinder-grpc db migrate`.')];
    if (schema.compatibleFrom > ownSchema.version) {
      return [failure(`The schema, ${schema.version}, is of a newer program. Run the check of that program.`)];
    }
    if (ownSchema.version > schema.version && ownSchema.compatibleFrom > schema.version) {
      return [
        failure(
          `Programs that know schema ${schema.version} would not work with schema ${ownSchema.version}. Upgrade by way of a release in between.`,
        ),
      ];
    }
    return [
      {
        result: 'Success',
        details:
          schema.version < ownSchema.version
            ? `It is ${schema.version}; this program has ${ownSchema.version}, and those of before go on with that.`
            : `It is ${schema.version}; this program works with it, and has ${ownSchema.version}.`,
      },
    ];
  },

  'Services are up'({ services, downAfterMs, serviceTtlMs, apiHosts }) {
    const silent = services.filter(({ stopped, silentMs }) => !stopped && silentMs > downAfterMs);
    return [
      ...silent.map(({ binary, host, silentMs }) =>
        warning(
          silentMs > serviceTtlMs
            ? `${binary} at ${host} was silent for ${time(silentMs)}: it holds nobody down any more.`
            : `${binary} at ${host} was silent for ${time(silentMs)}. It holds versions down for another ${time(serviceTtlMs - silentMs)}, unless it is started, or started anew and stopped in good order.`,
        ),
      ),
      ...(apiHosts.length === 0 ? [warning('No API process lives.')] : []),
    ];
  },

  'Versions of services'({ binaries }) {
    return binaries.flatMap(({ api, explanation }) => versionFindings(api, explanation));
  },

  'Unfinished work'({ work, binaries }) {
    const apis = new Map(binaries.map(({ api }) => [api.binary, api]));
    const findings = work.flatMap((form) => workFindings(form, apis.get(form.binary)));
    const count = work.reduce((sum, form) => sum + form.count, 0);
    return findings.length > 0
      ? findings
      : [
          {
            result: 'Success',
            details: count === 0 ? 'There is none.' : `${count} in all; this program can go on with each.`,
          },
        ];
  },

  'Changes of quota'({ oldestSettlementMs, flowDeadlineMs }) {
    return oldestSettlementMs > LEFT_AFTER * flowDeadlineMs
      ? [warning(`One has not been settled for ${time(oldestSettlementMs)}: run \`cinder-grpc doctor\` first.`)]
      : [];
  },

  'Pins and older versions'({ pins, runsAs, binaries }) {
    const known = binaries.map(({ api }) => api);
    return known.flatMap(({ binary, version }) => [
      ...(pins[binary] === undefined ? [] : [pinFinding(binary, pins[binary], formatVersion(version))]),
      ...(runsAs[binary] === undefined
        ? []
        : [
            warning(
              `rpc_version lets the new program run as ${binary} ${runsAs[binary]}: remove it, or it is no upgrade.`,
            ),
          ]),
    ]);
  },
};

function versionFindings(api: InternalApi, { binary, own, services }: CapExplanation): readonly Finding[] {
  const counting = services.filter(({ counts }) => counts);
  const findings = counting.flatMap((each) => serviceFindings(api, own, each));
  if (findings.length > 0) return findings;
  const versions = [...new Set(counting.map(textOf))];
  if (versions.length > 1) {
    return [
      warning(
        `The services of ${binary} are of ${versions.length} versions (${versions.join('; ')}): finish the upgrade under way first.`,
      ),
    ];
  }
  const [only = 'none is registered'] = versions;
  return [
    {
      result: 'Success',
      details: `${binary}: ${only}; this program speaks ${formatVersion(own.rpc)} (objects ${formatVersion(own.objects)}).`,
    },
  ];
}

/** What keeps a service from working together with this program. */
function serviceFindings(
  { binary, baseline }: InternalApi,
  own: Level,
  { service, level, isReadable }: WeighedService,
): readonly Finding[] {
  const what = `${binary} at ${service.host}`;
  if (!isReadable) {
    return [
      failure(
        `The record of ${what} holds no version ('${service.rpcVersion}', '${service.objectVersion}'): restart it.`,
      ),
    ];
  }
  const spoken = `${service.rpcVersion} (objects ${service.objectVersion})`;
  if (compareVersions(level.rpc, own.rpc) > 0 || compareVersions(level.objects, own.objects) > 0) {
    return [failure(`${what} speaks ${spoken}, which is newer than this program. Run the check of the newest.`)];
  }
  if (
    level.rpc.major !== own.rpc.major ||
    compareVersions(level.rpc, baseline) < 0 ||
    compareVersions(level.objects, OLDEST_OBJECTS) < 0
  ) {
    return [
      failure(
        `${what} speaks ${spoken}; this program goes back to ${formatVersion(baseline)} (objects ${OLDEST_OBJECT_VERSION}). Upgrade by way of a release in between.`,
      ),
    ];
  }
  return [];
}

function workFindings(
  { binary, method, payloadVersion, count, oldestMs }: PayloadForm,
  api: InternalApi | undefined,
): readonly Finding[] {
  const what = `${count} × ${binary} ${method} ${payloadVersion}`;
  const version = parseVersion(payloadVersion);
  if (!api?.methods.has(method) || !version || !compatible(api.version, version)) {
    return [failure(`${what}: this program cannot go on with it. Wait until it is done.`)];
  }
  return oldestMs > LONG_MS
    ? [warning(`${what}: it has waited for ${time(oldestMs)}: run \`cinder-grpc doctor\` first.`)]
    : [];
}

function pinFinding(binary: string, pin: string, newest: string): Finding {
  return warning(
    `rpc_pins holds ${binary} at ${pin}. Remove it when everything speaks ${newest}, and send SIGHUP: until then nothing newer is used.`,
  );
}

/** Receivers before senders, so that what the newest API offers can be done behind it. */
function orderOf({ schema, ownSchema, binaries, apiHosts }: UpgradeFacts): readonly string[] {
  const older = (wanted: string): readonly string[] =>
    binaries.flatMap(({ api, explanation: { own, services } }) =>
      api.binary === wanted
        ? services
            .filter(
              ({ counts, level }) =>
                counts && (compareVersions(level.rpc, own.rpc) < 0 || compareVersions(level.objects, own.objects) < 0),
            )
            .map(({ service, level }) => `${service.host} (${formatVersion(level.rpc)})`)
        : [],
    );
  const [schedulers, volumes] = [older('cinder-scheduler'), older('cinder-volume')];
  const isOlder =
    schedulers.length + volumes.length > 0 || (schema !== undefined && schema.version < ownSchema.version);
  return [
    ...(schema && schema.version < ownSchema.version
      ? [
          `Run \`cinder-grpc db migrate\` of the new program: schema ${schema.version} to ${ownSchema.version}. The old ones go on with it.`,
        ]
      : []),
    ...(schedulers.length > 0 ? [`Replace the schedulers, one at a time: ${schedulers.join(', ')}.`] : []),
    ...(volumes.length > 0 ? [`Replace the volume services, one at a time: ${volumes.join(', ')}.`] : []),
    ...(isOlder && apiHosts.length > 0 ? [`Replace the API processes, one at a time: ${apiHosts.join(', ')}.`] : []),
    ...(isOlder
      ? ['Remove rpc_pins, send SIGHUP, and see with `cinder-grpc service versions` that nobody is held down.']
      : []),
  ];
}

function textOf({ level }: WeighedService): string {
  return `${formatVersion(level.rpc)}, objects ${formatVersion(level.objects)}`;
}

/** `90 s`, `5 min`, `3 h`. */
function time(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
