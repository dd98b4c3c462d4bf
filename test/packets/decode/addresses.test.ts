import { isIP } from 'node:net';
import { expect, it } from 'vitest';
import { addressBytes, ip4Text, ip6Text } from '../../../src/packets/decode/addresses.ts';

it('reads each address that it writes', () => {
  let state = 1;
  const byte = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 30 === 0 ? state >>> 24 : 0;
  };
  for (let round = 0; round < 2000; round += 1) {
    const six = Buffer.from(Array.from({ length: 16 }, byte));
    expect(addressBytes(ip6Text(six)), ip6Text(six)).toEqual(six);
    const four = six.subarray(0, 4);
    expect(addressBytes(ip4Text(four.readInt32BE(0)))).toEqual(four);
  }
});

it.each([
  ...[
    '::',
    '::1',
    'fd00::',
    '1:2:3:4:5:6:7:8',
    '::ffff:10.0.0.1',
    '64:ff9b::10.0.0.1',
    'FD00::A',
    '10.0.0.256',
  ],
  ...[
    '1:2:3:4:5:6:7',
    '1::2::3',
    ':::',
    '1:2:3:4:5:6:7:8:9',
    '::1.2.3',
    'fd00::g',
    '',
    'pod',
    '1.2.3',
    '12345::',
    '1.2.3.4.5',
  ],
  ...['1:2:3:4:5:6:7::8', '1:2:3:4:5:6:10.0.0.1', '::10.0.0.1:1', ':1', '1:'],
])('knows whether "%s" is an address', (text) => {
  const bytes = addressBytes(text);
  expect(bytes?.length ?? 0).toBe({ 0: 0, 4: 4, 6: 16 }[isIP(text)]);
});
