import { describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';

describe('crictl and shell', () => {
  // What ran on the node ends with any status: failures of this tool have one of their own.
  it.each([
    [['crictl', 'node/x', '--bogus', '--', 'ps'], /unknown flag: --bogus/],
    [['crictl', 'node/x', '--', 'pss'], /crictl has no subcommand "pss"/],
    [['crictl', 'node/x', '--', 'rmi', '--all'], /crictl rmi changes the node/],
    [['crictl', 'node/x', 'ps'], /put "ps" after --/],
    [['crictl'], /a target is missing/],
    [['shell', 'node/x', '--bogus'], /unknown flag: --bogus/],
    [['shell', 'node/x'], /this is not a terminal/],
    [['shell', 'x', '--enter', 'user'], /"user" is none of net, pid, mnt, ipc, uts/],
    [['shell', 'node/x', '--kubeconfig', '/nowhere', '--', 'id'], /./],
  ])('%j ends with 125', async (words, reason) => {
    const { code, stderr, stdout } = await gkeprof(words);
    expect([code, stdout.toString()]).toEqual([125, '']);
    expect(stderr).toMatch(reason);
  });
});
