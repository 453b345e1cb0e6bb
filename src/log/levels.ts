/** From the fewest lines to the most. In a file of their own: the configuration needs them, but no logger. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
