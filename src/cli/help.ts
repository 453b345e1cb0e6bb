/** Examples below a command's help; each a command line without the program's name, or with a remark. */
export function examples(...lines: readonly (string | readonly [line: string, remark: string])[]): string {
  const pairs = lines.map((line) => (typeof line === 'string' ? ([line, ''] as const) : line));
  const width = Math.max(...pairs.map(([line, remark]) => (remark === '' ? 0 : line.length)));
  const shown = pairs.map(
    ([line, remark]) => `  cinder-grpc ${remark === '' ? line : `${line.padEnd(width)}  ${remark}`}`,
  );
  return `\nExamples:\n${shown.join('\n')}`;
}
