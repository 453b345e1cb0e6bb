import {
  type DescExtension,
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  type FileRegistry,
  getOption,
  hasOption,
} from '@bufbuild/protobuf';

export type Kind = 'call' | 'cast' | 'fanout';

/** The options of `proto/cinder/rpc/v1/options.proto`, typed. */
export interface RpcOptions {
  readonly apiOf: (service: DescService) => { binary: string; version: string; baseline: string } | undefined;
  readonly methodOf: (method: DescMethod) => MethodOptions | undefined;
  readonly policyOf: (method: DescMethod) => string;
  readonly objectOf: (message: DescMessage) => { name: string; version: string } | undefined;
  readonly fieldOf: (field: DescField) => FieldOptions;
}

export interface MethodOptions {
  readonly since: string;
  readonly kind: Kind | undefined;
  readonly durable: boolean;
  /** Name of the field that holds what a durable cast changes; empty: found by its type. */
  readonly resource: string;
}

export interface FieldOptions {
  readonly since: string;
  readonly refuseBelow: boolean;
  readonly adminOnly: boolean;
  readonly secret: boolean;
}

/** The numbers of enum Kind. */
const KINDS: Readonly<Record<number, Kind>> = { 1: 'call', 2: 'cast', 3: 'fanout' };
/** `BELOW_REFUSE`. */
const REFUSE = 2;
/** `VISIBILITY_ADMIN`. */
const ADMIN = 1;

/** Finds our options in a descriptor set. Throws when the set does not hold them. */
export function rpcOptions(registry: FileRegistry): RpcOptions {
  const [api, method, policy] = [extension('api'), extension('method'), extension('policy')];
  const [object, since, below] = [extension('object'), extension('since'), extension('below')];
  const [visibleTo, secret] = [extension('visible_to'), extension('secret')];

  function extension(name: string): DescExtension {
    const found = registry.getExtension(`cinder.rpc.v1.${name}`);
    if (!found) throw new Error(`the descriptor set does not declare the option cinder.rpc.v1.${name}`);
    return found;
  }

  return {
    apiOf: (service) => (hasOption(service, api) ? (getOption(service, api) as ApiOption) : undefined),
    methodOf: (desc) => {
      if (!hasOption(desc, method)) return undefined;
      const option = getOption(desc, method) as MethodOption;
      return { ...option, kind: KINDS[option.kind] };
    },
    policyOf: (desc) => getOption(desc, policy) as string,
    objectOf: (message) => (hasOption(message, object) ? (getOption(message, object) as ObjectOption) : undefined),
    fieldOf: (field) => ({
      since: getOption(field, since) as string,
      refuseBelow: getOption(field, below) === REFUSE,
      adminOnly: getOption(field, visibleTo) === ADMIN,
      secret: getOption(field, secret) as boolean,
    }),
  };
}

interface ApiOption {
  readonly binary: string;
  readonly version: string;
  readonly baseline: string;
}
interface MethodOption {
  readonly since: string;
  readonly kind: number;
  readonly durable: boolean;
  readonly resource: string;
}
interface ObjectOption {
  readonly name: string;
  readonly version: string;
}
