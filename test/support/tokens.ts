import { writeFile } from 'node:fs/promises';
import { hashOfToken } from '#src/auth/tokens.js';

/** An entry of a tokens file, with the token itself. */
export interface TestToken {
  readonly token: string;
  readonly userId: string;
  readonly roles: readonly string[];
  /** @default the system's scope */
  readonly projectId?: string;
}

/** Writes a tokens file. */
export async function writeTokens(path: string, tokens: readonly TestToken[]): Promise<void> {
  const entries = tokens.map(({ token, userId, roles, projectId }) =>
    [
      '[[tokens]]',
      `sha256 = "${hashOfToken(token)}"`,
      `user_id = "${userId}"`,
      `roles = ${JSON.stringify(roles)}`,
      projectId === undefined ? 'system = true' : `project_id = "${projectId}"`,
    ].join('\n'),
  );
  await writeFile(path, `${entries.join('\n\n')}\n`);
}
