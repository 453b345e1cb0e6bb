import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import { FILE, upgradingPage } from '#scripts/upgrade-costs.mjs';

test('docs/upgrading.md says what each cap costs, as the rules do: npm run gen:upgrading', async (t) => {
  t.is(readFileSync(FILE, 'utf8'), await upgradingPage());
});

test('the tables of docs/upgrading.md name what is refused, left out and reworded, each once', async (t) => {
  const page = await upgradingPage();
  for (const said of [
    '`CreateVolumeRequest.backup_id`: left out',
    '`ReimageRequest.image_snap`: refused where it is set',
    '`MigrateVolume`: sent as `MigrateVolumeToHost`',
    '`Volume.use_quota`: said in the words of before',
  ]) {
    t.is(page.split(said).length, 2, said);
  }
  t.notRegex(page, /undefined|NaN|\[object/);
});

test('what docs/upgrading.md links to is there', (t) => {
  const page = readFileSync(FILE, 'utf8');
  const links = [...page.matchAll(/\]\(([^)#]+)\)/g)].map(([, path = '']) => path);
  t.true(links.length >= 2);
  for (const path of links) t.true(existsSync(new URL(path, FILE)), path);
});
