import type { Check } from '../doctor/check.js';
import { diagnose, type Finding } from '../doctor/diagnosis.js';
import type { DiagnoseResponse, Subject as WireSubject } from '../gen/cinder/api/v3/diagnostics.js';
import type { RequestContext } from '../objects/request-context.js';
import { InFlight } from '../rpc/interceptors/in-flight.js';
import type { PublicCall } from '../rpc/public-server.js';
import { Violations } from './validation.js';
import { findingView, subjectOf, subjectView } from './views/finding-view.js';

export interface DiagnosisParts {
  /** What is compared, for a caller; repairs are written on its behalf. */
  readonly checksFor: (context: RequestContext) => readonly Check[];
  /** Diagnoses that this process makes at the same time: each reads a lot. */
  readonly running: InFlight;
  /** Told of each repair, for the operator's log; never throws. */
  readonly onRepaired: (finding: Finding, context: RequestContext) => void;
  /** Between the two looks that make a finding, ms. @default 1000 */
  readonly confirmAfterMs?: number;
}

/** Diagnoses of one process at the same time. */
export const runningDiagnoses = (): InFlight => new InFlight(4, 'diagnoses');

const CONFIRM_AFTER_MS = 1_000;

/** The messages of a diagnosis: findings one by one, then the summary. Throws InvalidInput. */
export function diagnosis(
  parts: DiagnosisParts,
  asked: { readonly subjects: readonly WireSubject[]; readonly repair: boolean },
  call: PublicCall,
): AsyncIterable<DiagnoseResponse> {
  const bad = new Violations();
  const subjects = asked.subjects.map((subject, index) => {
    const known = subjectOf(subject);
    if (known === undefined) bad.add(`subjects[${index}]`, 'must be a subject');
    return known;
  });
  bad.check();
  const checks = parts.checksFor(call.context);
  const wanted = subjects.length === 0 ? checks : checks.filter(({ subject }) => subjects.includes(subject));
  return messages(parts, wanted, asked.repair, call);
}

async function* messages(
  { running, onRepaired, confirmAfterMs = CONFIRM_AFTER_MS }: DiagnosisParts,
  checks: readonly Check[],
  repair: boolean,
  { context, signal }: PublicCall,
): AsyncGenerator<DiagnoseResponse> {
  const examined: { subject: WireSubject; count: number }[] = [];
  let [findingCount, repairedCount] = [0, 0];
  running.enter('');
  try {
    for await (const said of diagnose(checks, { repair, confirmAfterMs, signal })) {
      if ('examined' in said) {
        examined.push({ subject: subjectView(said.examined.subject), count: said.examined.count });
        continue;
      }
      const { finding } = said;
      findingCount += 1;
      if (finding.repaired) {
        repairedCount += 1;
        onRepaired(finding, context);
      }
      yield { message: { $case: 'finding', value: findingView(finding) } };
    }
    yield { message: { $case: 'summary', value: { examined, findingCount, repairedCount } } };
  } finally {
    running.leave('');
  }
}
