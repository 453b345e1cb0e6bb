// usage: node healthcheck.mjs    exit code 0: the process of this container answers that it is ready

const LIMIT_MS = 5_000;
const listen = process.env.CINDER_METRICS_LISTEN || '127.0.0.1:8775';
// who listens everywhere is reached on loopback
const address = listen.replace(/^(0\.0\.0\.0|\[::\]):/, '127.0.0.1:');

try {
  const answer = await fetch(`http://${address}/readyz`, { signal: AbortSignal.timeout(LIMIT_MS) });
  console.log((await answer.text()).slice(0, 4_096));
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  console.error(`http://${address}/readyz: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}
