import { Option } from 'commander';

import type { Finding, Summary } from '../../gen/cinder/api/v3/diagnostics.js';
import { type Api, onApi } from '../api.js';
import type { AddTo } from '../context.js';
import { examples } from '../help.js';
import type { Row } from '../output.js';
import { CommandError } from '../parts.js';
import { several } from '../values.js';

const COLUMNS = ['Kind', 'Resource', 'Finding', 'Repaired', 'Remedy'] as const;

interface DoctorOptions {
  readonly repair: boolean;
  readonly only?: readonly string[];
}

/** Adds `doctor`. */
export const addDoctorCommand: AddTo = (doctor, context) => {
  doctor
    .option('--repair', 'mend what is safe to mend; no data and no record of a volume is destroyed', false)
    .addOption(
      new Option('--only <subject>', `look only at this (repeat for more): ${SUBJECTS.join(', ')}`).argParser(several),
    )
    .addHelpText(
      'after',
      `${examples(
        ['--roles admin doctor', 'what does not agree, and what to do about it'],
        ['--roles admin doctor --repair', 'mend it'],
        ['--roles admin doctor --only storage -f json', 'for programs'],
      )}\n\nExit codes: 0 nothing is wrong, or all of it was mended; 1 something is left, or not everything could be looked at.`,
    )
    .action(
      onApi(
        context,
        async (api, options: DoctorOptions) => {
          const said = await diagnose(api, options);
          context.parts.stderr.write(`${said}\n`);
        },
        { fields: { subjects: '--only' }, changes: true },
      ),
    );
};

const SUBJECTS = ['work', 'volumes', 'settlements', 'storage', 'claims', 'quota'];

/** Prints what is found, and answers the summary in words. Throws CommandError when something is left. */
async function diagnose(api: Api, { repair, only = [] }: DoctorOptions): Promise<string> {
  const { Subject } = await import('../../gen/cinder/api/v3/diagnostics.js');
  const subjects = only.map((typed) => {
    const [, subject] = Object.entries(Subject).find(([name]) => name === typed.toUpperCase()) ?? [];
    return subject ?? Subject.UNRECOGNIZED;
  });
  const { diagnostics } = api.client;
  const stream = repair ? diagnostics.repair({ subjects }, api.call) : diagnostics.diagnose({ subjects }, api.call);
  const findings: Finding[] = [];
  let summary: Summary | undefined;
  try {
    for await (const { message } of stream) {
      if (message?.$case === 'finding') {
        findings.push(message.value);
        api.progress.say(`${findings.length} found …`);
      }
      if (message?.$case === 'summary') summary = message.value;
    }
  } catch (error) {
    // what was found, and maybe mended, before is not to be lost
    if (findings.length > 0) await api.printList(findings.map(findingRow), COLUMNS);
    throw error;
  }
  api.progress.end();
  await api.printList(findings.map(findingRow), COLUMNS);
  if (summary === undefined)
    throw new CommandError('The API answered without a summary: not everything was looked at.');
  const left = summary.findingCount - summary.repairedCount;
  const looked = summary.examined.map(({ subject, count }) => `${word(subject, 'SUBJECT_')} ${count}`).join(', ');
  const said = `Looked at: ${looked}. Found ${summary.findingCount}, mended ${summary.repairedCount}, left ${left}.`;
  if (left > 0) throw new CommandError(said);
  return said;
}

function findingRow(finding: Finding): Row {
  return {
    Kind: word(finding.kind, 'FINDING_KIND_'),
    Resource: finding.resource,
    Finding: finding.description,
    Repaired: finding.repaired,
    Remedy: finding.remedy,
  };
}

function word(name: string, prefix: string): string {
  return name.replace(prefix, '').toLowerCase();
}
