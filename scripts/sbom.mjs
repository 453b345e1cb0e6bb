// usage: npm run sbom    prints what is in the product, as CycloneDX JSON; fails where a licence is not permissive

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Licences that ask for nothing but their own text and a name. */
const PERMISSIVE = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT', 'Unlicense'];

/** Files of others that are in the package itself; their licences lie beside them. */
const VENDORED = [
  { name: 'googleapis', purl: 'pkg:github/googleapis/googleapis', folder: 'third_party/proto/google' },
  { name: 'grpc-proto', purl: 'pkg:github/grpc/grpc-proto', folder: 'third_party/proto/grpc' },
];

/**
 * The bill of materials: what npm installs with the package, by the lock file, and what the package brings itself.
 * @returns {Bill}
 *
 * @typedef {{ name: string, version?: string, purl: string, licenses?: Licence[] }} Component
 * @typedef {{ license?: { id?: string, name?: string }, expression?: string }} Licence
 * @typedef {{ metadata: { component: { name: string } }, components: Component[] }} Bill
 */
export function sbom() {
  const bill = npm(['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application']);
  const { name } = json('package.json');
  const shipped = shippedPackages();
  const own = bill.metadata.component;
  // npm takes the folder's name
  own.name = name;
  // not by `--omit dev`, which leaves out what the product and the tools both use
  bill.components = bill.components.filter((each) => shipped.has(`${each.name}@${each.version}`));
  const refs = new Set([own['bom-ref'], ...bill.components.map((each) => each['bom-ref'])]);
  bill.dependencies = bill.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => refs.has(each)) }));
  for (const { purl, folder, ...each } of VENDORED) {
    bill.components.push({
      ...{ 'bom-ref': purl, type: 'library', ...each, scope: 'required', purl },
      description: `Protos, in ${folder}.`,
      licenses: [{ license: { id: 'Apache-2.0' } }],
    });
    bill.dependencies.push({ ref: purl, dependsOn: [] });
  }
  return bill;
}

/** Name and version of everything that is installed where development is left out. */
function shippedPackages() {
  const entries = Object.entries(json('package-lock.json').packages);
  const parts = entries.filter(([path, { dev }]) => path !== '' && !dev);
  return new Set(parts.map(([path, { version }]) => `${path.split('node_modules/').at(-1)}@${version}`));
}

/**
 * What may not be shipped, one line a component: licences that ask for more, or none at all.
 * @param {{ components: Omit<Component, 'purl'>[] }} bill
 * @returns {string[]}
 */
export function notPermissive({ components }) {
  return components
    .filter(({ licenses = [] }) => !licenses.some(isPermissive))
    .map(
      ({ name, version, licenses = [] }) => `${name}@${version}: ${licenses.map(textOf).join(', ') || 'no licence'}`,
    );
}

/** Of `A OR B` one is enough; of `A AND B` both must be. */
function isPermissive(licence) {
  const choices = textOf(licence).replace(/[()]/g, '').split(' OR ');
  return choices.some((choice) => choice.split(' AND ').every((id) => PERMISSIVE.includes(id)));
}

function textOf({ license, expression }) {
  return expression ?? license?.id ?? license?.name ?? '';
}

function json(path) {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
}

/** What an npm command prints as JSON. */
function npm(args) {
  const { npm_execpath: script } = process.env;
  const [command, ...first] = script?.endsWith('.js') ? [process.execPath, script] : ['npm'];
  const options = { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1_048_576, stdio: ['ignore', 'pipe', 'inherit'] };
  return JSON.parse(execFileSync(command, [...first, ...args, '--loglevel', 'error'], options));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const bill = sbom();
  process.stdout.write(`${JSON.stringify(bill, null, 2)}\n`);
  const refused = notPermissive(bill);
  for (const line of refused) console.error(`not permissive: ${line}`);
  process.exitCode = refused.length > 0 ? 1 : 0;
}
