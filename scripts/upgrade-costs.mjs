// usage: node scripts/upgrade-costs.mjs    writes the tables of docs/upgrading.md from the built rules of the protos

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { format } from 'prettier';

import { SchedulerClient } from '../dist/rpc/clients/scheduler-client.js';
import { VolumeClient } from '../dist/rpc/clients/volume-client.js';
import { readDescriptors } from '../dist/rpc/descriptors.js';
import { OBJECT_VERSIONS } from '../dist/rpc/object-history.js';
import { Cap } from '../dist/rpc/version-cap.js';
import { formatVersion, versionOf } from '../dist/rpc/version-number.js';
import { readRules } from '../dist/rpc/versions.js';

/** The page. */
export const FILE = new URL('../docs/upgrading.md', import.meta.url);

const BEGIN = '<!-- made by scripts/upgrade-costs.mjs: do not edit -->';
const END = '<!-- end -->';
const NOTHING = { versionsOf: async () => [] };

/** @returns {Promise<string>} The page as it is, with its tables as the rules say. */
export async function upgradingPage() {
  const page = readFileSync(FILE, 'utf8');
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`docs/upgrading.md lacks "${BEGIN}" or "${END}"`);
  return `${before}${BEGIN}\n\n${await tables()}\n${END}${after}`;
}

async function tables() {
  const rules = readRules(readDescriptors());
  const options = { rules, registry: NOTHING, readPeers: async () => [], maxMessageBytes: 1_048_576 };
  const clients = [new SchedulerClient(options), new VolumeClient(options)];
  const sections = [...clients.map(tableOf), objectTable(clients)];
  for (const client of clients) client.close();
  return format(sections.join('\n\n'), { parser: 'markdown' });
}

/** What a receiver below each version costs, newest first, each thing once. */
function tableOf(client) {
  const { binary, version, baseline } = client.api;
  const rows = [];
  const said = new Set();
  for (let minor = version.minor; minor > baseline.minor; minor -= 1) {
    const below = { major: version.major, minor: minor - 1, revision: 0 };
    const losses = client.lossesBelow(new Cap({ rpc: below, objects: client.own.objects }));
    const own = `${version.major}.${minor}`;
    const news = losses.filter(({ what, since }) => since === own && !said.has(what));
    for (const { what } of news) said.add(what);
    if (news.length > 0) rows.push(`| ${own} | ${news.map(words).join('<br>')} |`);
  }
  return [
    `**${binary}**, ${formatVersion(baseline)} to ${formatVersion(version)}:`,
    '',
    '| below | is lost |',
    '| --- | --- |',
    ...rows,
  ].join('\n');
}

function objectTable(clients) {
  const newest = OBJECT_VERSIONS.at(-1);
  const rows = OBJECT_VERSIONS.slice(0, -1).map((entry) => {
    const losses = clients.flatMap((client) =>
      client.lossesBelow(new Cap({ rpc: client.own.rpc, objects: versionOf(entry) })),
    );
    return `| ${entry} | ${[...new Set(losses.map(words))].join('<br>')} |`;
  });
  return [`**Objects**, up to ${newest}:`, '', '| at | is lost |', '| --- | --- |', ...rows].join('\n');
}

function words({ kind, what, instead }) {
  const name = `\`${what}\``;
  switch (kind) {
    case 'method refused':
      return `${name}: refused`;
    case 'method reworded':
      return `${name}: sent as \`${instead}\``;
    case 'field reworded':
      return `${name}: said in the words of before`;
    case 'field refused':
      return `${name}: refused where it is set`;
    default:
      return `${name}: left out`;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(FILE, await upgradingPage());
