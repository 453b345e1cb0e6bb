import { isLoopback } from './listen.js';
import type { Config } from './schema.js';

/** What one rule between options found. */
export interface Finding {
  /** Name of the option at fault, as in the file. */
  readonly option: string;
  readonly description: string;
}

/** Adjusts what Cinder adjusts by itself, with a warning. Rule: cinder/service.py, `service_down_time`. */
export function adjusted<C extends Omit<Config, 'backends'>>(
  config: C,
): { readonly config: C; readonly warnings: string[] } {
  if (config.serviceDownTimeMs > config.reportIntervalMs) return { config, warnings: [] };
  const seconds = Math.floor((config.reportIntervalMs / 1_000) * 2.5);
  return {
    config: { ...config, serviceDownTimeMs: seconds * 1_000 },
    warnings: [
      `service_down_time must be longer than report_interval (${config.reportIntervalMs / 1_000} s); it is taken as ${seconds} s.`,
    ],
  };
}

/** Checks the rules between options. */
export function broken(config: Omit<Config, 'backends'>): readonly Finding[] {
  return [...RULES].flatMap((rule) => rule(config));
}

type Rule = (config: Omit<Config, 'backends'>) => readonly Finding[];

const RULES: readonly Rule[] = [
  ({ authStrategy, apiListen }) =>
    authStrategy === 'noauth' && !isLoopback(apiListen)
      ? [{ option: 'api_listen', description: `must be on loopback under auth_strategy noauth, not ${apiListen}` }]
      : [],

  ({ authStrategy, authTokensFile }) =>
    authStrategy === 'tokens' && authTokensFile === undefined
      ? [{ option: 'auth_tokens_file', description: 'is needed by auth_strategy tokens' }]
      : [],

  ({ internalRpcSecret, schedulerListen, volumeListen }) =>
    Object.entries({ scheduler_listen: schedulerListen, volume_listen: volumeListen })
      .filter(([, listen]) => internalRpcSecret === undefined && !isLoopback(listen))
      .map(([option, listen]) => ({
        option,
        description: `must be on loopback without internal_rpc_secret, not ${listen}`,
      })),

  ({ reservationExpireMs, apiFlowDeadlineMs }) =>
    reservationExpireMs < 4 * apiFlowDeadlineMs
      ? [{ option: 'reservation_expire', description: 'must be at least 4 times api_flow_deadline' }]
      : [],

  ({ enabledBackends }) =>
    enabledBackends.length === 0 ? [{ option: 'enabled_backends', description: 'must name a backend' }] : [],
];
