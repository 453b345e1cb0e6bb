import type { VolumeDriver } from '../drivers/driver.js';
import type { Metrics } from '../telemetry/metrics.js';

/** A driver whose operations are timed, and whose failures are counted. `name`: of the kind of driver, e.g. `file`. */
export function measuredDriver(
  driver: VolumeDriver,
  name: string,
  { storage }: Pick<Metrics, 'storage'>,
): VolumeDriver {
  const timed = async (operation: string, run: () => unknown): Promise<unknown> => {
    const begun = performance.now();
    try {
      return await run();
    } catch (error) {
      storage.driverFailures.with(name, operation).inc();
      throw error;
    } finally {
      storage.driverSeconds.with(name, operation).observe((performance.now() - begun) / 1_000);
    }
  };
  const operations = new Map<string, string>();
  const operationOf = (method: string): string => {
    let operation = operations.get(method);
    if (operation === undefined) operations.set(method, (operation = snake(method)));
    return operation;
  };
  // every method of a driver answers a promise; what is no method is passed on as it is
  return new Proxy(driver, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function' || typeof key !== 'string') return value;
      return (...args: unknown[]) => timed(operationOf(key), () => Reflect.apply(value, target, args));
    },
  });
}

/** `createVolume` as it is in labels: `create_volume`. */
function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
