/** The server's program: the one on PATH unless the environment names another. */
export const REDIS_SERVER = process.env['CINDER_REDIS_SERVER'] ?? 'redis-server';
