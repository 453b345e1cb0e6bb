import test from 'ava';
import { noAuth } from '#src/auth/none.js';
import { hashOfToken as sha256, tokenAuth } from '#src/auth/tokens.js';
import { readTokens } from '#src/auth/tokens-file.js';
import type { Identity } from '#src/rpc/interceptors/authenticate.js';

const NOON = Date.parse('2027-01-31T12:00:00Z');

const auth = tokenAuth(
  [
    { sha256: sha256('secret'), projectId: 'p1', userId: 'u1', roles: ['member'] },
    { sha256: sha256('other'), projectId: 'p2', userId: 'u2', roles: ['admin'] },
    { sha256: sha256('operator'), projectId: '', userId: 'ops', roles: ['reader'], systemScope: 'all' },
    { sha256: sha256('stale'), projectId: 'p1', userId: 'u1', roles: ['member'], expiresAt: NOON },
    { sha256: sha256('fresh'), projectId: 'p1', userId: 'u1', roles: ['member'], expiresAt: NOON + 1 },
  ],
  () => NOON,
);

test('a token stands for its caller, whatever else the headers say of roles and users', async (t) => {
  t.deepEqual(await as(auth, { 'x-auth-token': 'secret', 'x-roles': 'admin', 'x-user-id': 'root' }), {
    ...{ projectId: 'p1', userId: 'u1', roles: ['member'] },
  });
  t.is((await as(auth, { 'x-auth-token': 'other', 'x-project-id': 'p2' })).projectId, 'p2');
  t.deepEqual(await as(auth, { 'x-auth-token': 'fresh' }), { projectId: 'p1', userId: 'u1', roles: ['member'] });
});

test('a token of the system has no project, whether its scope is asked for or not', async (t) => {
  const ops = { projectId: '', userId: 'ops', roles: ['reader'], systemScope: 'all' } as const;
  t.deepEqual(await as(auth, { 'x-auth-token': 'operator' }), ops);
  t.deepEqual(await as(auth, { 'x-auth-token': 'operator', 'openstack-system-scope': 'all' }), ops);
});

/** Headers that name nobody, and what is said of them. */
const NOBODY: readonly (readonly [what: string, headers: Readonly<Record<string, string>>, says: RegExp])[] = [
  ['without a token', { 'x-project-id': 'p1' }, /'x-auth-token' is missing/],
  ['with an empty token', { 'x-auth-token': '' }, /'x-auth-token' is missing/],
  ['with an unknown token', { 'x-auth-token': 'guess' }, /not known/],
  ['with the hash of a token', { 'x-auth-token': sha256('secret') }, /not known/],
  ['with a token of another project', { 'x-auth-token': 'secret', 'x-project-id': 'p2' }, /not of the project/],
  ['with an expired token', { 'x-auth-token': 'stale' }, /has expired/],
  ["with the system's token for a project", { 'x-auth-token': 'operator', 'x-project-id': 'p1' }, /not of the project/],
  [
    "with a project's token for the system",
    { 'x-auth-token': 'other', 'openstack-system-scope': 'all' },
    /of a project/,
  ],
  [
    'with a token for another scope',
    { 'x-auth-token': 'operator', 'openstack-system-scope': 'p1' },
    /knows 'all' only/,
  ],
];

for (const [what, headers, says] of NOBODY) {
  test(`a caller ${what} is not let in, and no token is told`, async (t) => {
    const error = await t.throwsAsync(as(auth, headers), { name: 'NotAuthenticated', message: says });
    const token = headers['x-auth-token'];
    if (token) t.false(error.message.includes(token));
  });
}

test('a tokens file is read as it stands', (t) => {
  const hash = sha256('secret');
  const text = `[[tokens]]\nsha256 = "${hash}"\nproject_id = "p1"\nuser_id = "u1"\nroles = ["member", "reader"]\n`;
  t.deepEqual(readTokens(text, 'tokens.toml'), [
    { sha256: hash, projectId: 'p1', userId: 'u1', roles: ['member', 'reader'] },
  ]);
});

test('a tokens file may give the scope of the system, and an end', (t) => {
  const text = `[[tokens]]\nsha256 = "${sha256('x')}"\nsystem = true\nuser_id = "ops"\nroles = ["reader"]\nexpires_at = 2027-01-31T13:00:00+01:00\n`;
  t.deepEqual(readTokens(text, 'tokens.toml'), [
    { sha256: sha256('x'), projectId: '', userId: 'ops', roles: ['reader'], systemScope: 'all', expiresAt: NOON },
  ]);
});

/** Lines that replace those of a good entry, and what is said of them. */
const MISTAKES: readonly (readonly [line: string, says: RegExp])[] = [
  ['project_id = "p1"\nsystem = true', /project_id and system exclude each other/],
  ['system = false', /system must be true, or not be there/],
  ['', /project_id must be .*, unless system = true/],
  ['project_id = "p1"\nexpires_at = 2027-01-31T12:00:00', /expires_at must be a time with its offset/],
  ['project_id = "p1"\nexpires_at = 1801483200', /expires_at must be a time with its offset/],
  ['project_id = "p1"\nrole = "admin"', /: role is unknown/],
  ['project_id = "p1"\n"hunter2 " = 1', /: a key is unknown/],
];

for (const [lines, says] of MISTAKES) {
  test(`a token with ${JSON.stringify(lines)} is refused`, (t) => {
    const text = `[[tokens]]\nsha256 = "${sha256('x')}"\nuser_id = "u"\nroles = ["reader"]\n${lines}\n`;
    const { message } = t.throws(() => readTokens(text, 'tokens.toml'));
    t.regex(message, says);
    t.false(message.includes('hunter2'));
  });
}

test('a tokens file names every bad entry, and no token', (t) => {
  const hash = sha256('secret');
  const good = `sha256 = "${hash}"\nproject_id = "p1"\nuser_id = "u1"\nroles = ["member"]\n`;
  const text = [
    `[[tokens]]\n${good}`,
    '[[tokens]]\nsha256 = "hunter2"\nproject_id = "a}b"\nuser_id = ""\nroles = "admin"\n',
    `[[tokens]]\n${good}`,
  ].join('');
  const error = t.throws(() => readTokens(text, '/etc/tokens.toml'));
  t.deepEqual(
    error.message.split('\n').map((line) => line.replace(/ must be .*?(?=;|$)/g, '')),
    [
      '/etc/tokens.toml: token 2: sha256; project_id; user_id; roles',
      '/etc/tokens.toml: token 3: sha256 stands for an earlier token too',
    ],
  );
  for (const secret of ['hunter2', hash, 'a}b']) t.false(error.message.includes(secret));
});

test('a tokens file that cannot be parsed is named with the place, and no line of it is quoted', (t) => {
  const error = t.throws(() => readTokens('[[tokens]]\nsha256 = "hunter2\nroles = []\n', '/etc/tokens.toml'));
  t.regex(error.message, /^\/etc\/tokens\.toml: is not valid TOML in line 2, column \d+$/);
  t.is(error.cause, undefined);
});

for (const text of ['', 'tokens = []', 'tokens = 1', '[tokens]\na = 1']) {
  test(`a tokens file without tokens lets nobody start: ${JSON.stringify(text)}`, (t) => {
    t.throws(() => readTokens(text, 'tokens.toml'), { message: /^tokens\.toml: needs at least one table/ });
  });
}

test('without authentication the caller is believed, and what it leaves out is its project and a member', async (t) => {
  t.deepEqual(await as(noAuth, { 'x-project-id': 'p1' }), { projectId: 'p1', userId: 'p1', roles: ['member'] });
  t.deepEqual(await as(noAuth, { 'x-project-id': 'p1', 'x-user-id': 'u1', 'x-roles': ' admin, reader ,' }), {
    ...{ projectId: 'p1', userId: 'u1', roles: ['admin', 'reader'] },
  });
  t.deepEqual((await as(noAuth, { 'x-project-id': 'p1', 'x-roles': ',' })).roles, ['member']);
});

test("without authentication the system's scope takes the place of the project, for a reader unless it says more", async (t) => {
  const scope = { 'openstack-system-scope': 'all' };
  t.deepEqual(await as(noAuth, scope), { projectId: '', userId: 'system', roles: ['reader'], systemScope: 'all' });
  t.like(await as(noAuth, { ...scope, 'x-roles': 'admin', 'x-user-id': 'ops' }), { userId: 'ops', roles: ['admin'] });
  const both = { name: 'NotAuthenticated', message: /exclude each other/ };
  await t.throwsAsync(as(noAuth, { ...scope, 'x-project-id': 'p1' }), both);
  await t.throwsAsync(as(noAuth, { 'openstack-system-scope': 'domain' }), { message: /knows 'all' only/ });
});

test('without authentication a caller must still name a project', async (t) => {
  await t.throwsAsync(as(noAuth, {}), { name: 'NotAuthenticated', message: /'x-project-id' is missing/ });
});

for (const [header, value] of [
  ['x-project-id', ''],
  ['x-project-id', 'a}b'],
  ['x-project-id', 'x'.repeat(256)],
  ['x-user-id', 'a b'],
] as const) {
  test(`without authentication ${header} of ${JSON.stringify(value.slice(0, 8))} is refused by name`, async (t) => {
    const error = { name: 'NotAuthenticated', message: new RegExp(`'${header}' must be 1 to 255`) };
    await t.throwsAsync(as(noAuth, { 'x-project-id': 'p1', [header]: value }), error);
  });
}

test('roles are bounded, and names that are none are left out', async (t) => {
  const many = Array.from({ length: 100 }, (_, i) => `r${i}`).join(',');
  t.is((await as(noAuth, { 'x-project-id': 'p1', 'x-roles': many })).roles.length, 32);
  t.deepEqual((await as(noAuth, { 'x-project-id': 'p1', 'x-roles': 'a b,reader' })).roles, ['reader']);
});

/** Who the headers say it is. */
async function as(authenticator: typeof noAuth, headers: Readonly<Record<string, string>>): Promise<Identity> {
  return authenticator.authenticate((name) => headers[name]);
}
