import test from 'ava';
import { slotOf } from '#src/redis/slot.js';
import { ownersBySlot, readView } from '#src/redis/topology.js';

const ASKED = { host: 'asked.example', port: 7_000 };
const line = (id: string, endpoint: string, flags: string, epoch: number, slots: string) =>
  `${id} ${endpoint} ${flags} - 0 1700000000000 ${epoch} connected${slots && ` ${slots}`}\n`;

test('a view has the primaries with their slots and all nodes, but not those without an address', (t) => {
  const view = readView(
    line('a', ':7000@17000', 'myself,master', 3, '0-99 200 [150->-b]') +
      line('b', '10.0.0.2:7000@17000,b.example', 'master', 5, '100-199') +
      line('c', '::1:7001@17001', 'slave', 3, '') +
      line('d', ':0@0', 'master,noaddr', 9, '300-400'),
    ASKED,
  );
  t.deepEqual(view.owners, [
    {
      address: ASKED,
      configEpoch: 3,
      ranges: [
        [0, 99],
        [200, 200],
      ],
    },
    { address: { host: '10.0.0.2', port: 7_000 }, configEpoch: 5, ranges: [[100, 199]] },
  ]);
  t.deepEqual(
    view.nodes.map(({ host }) => host),
    ['asked.example', '10.0.0.2', '::1'],
  );
});

test('of two nodes that claim a slot the one with the larger epoch has it, whoever answers first', (t) => {
  const former = readView(line('a', '10.0.0.1:1@2', 'myself,master', 1, '0-16383'), ASKED);
  const elected = readView(
    line('a', '10.0.0.1:1@2', 'master,fail', 1, '9-16383') + line('b', '10.0.0.2:1@2', 'myself,master', 7, '0-8'),
    ASKED,
  );
  for (const views of [
    [former, elected],
    [elected, former],
  ]) {
    const owners = ownersBySlot(views);
    t.deepEqual(
      [owners[0], owners[8], owners[9]].map((owner) => owner?.host),
      ['10.0.0.2', '10.0.0.2', '10.0.0.1'],
    );
  }
  t.is(ownersBySlot([])[5], undefined);
});

test('the slot of a key is that of the cluster specification', (t) => {
  t.is(slotOf('123456789'), 0x31c3 % 16_384);
  t.is(slotOf('{user1000}.following'), slotOf('user1000'));
  t.is(slotOf('foo{{bar}}zap'), slotOf('{bar'));
  t.is(slotOf('foo{bar}{zap}'), slotOf('bar'));
  t.not(slotOf('foo{}{bar}'), slotOf('bar'));
});
