import { describe, expect, it } from 'vitest';
import { gkeprof } from '../command-line.ts';

describe('crictl and shell', () => {
  // What ran on the node ends with any status: failures of this tool have one of their own.
  it.each([
    [['crictl', 'node/x', '--bogus', '--', 'ps'], /unknown flag: --bogus/],
    [['crictl', 'node/x', '--', 'pss'], /crictl: unknown subcommand "pss"/],
    [['crictl', 'node/x', '--', 'rmi', '--all'], /crictl rmi changes the node/],
    [['crictl', 'node/x', 'ps', '-a'], /"-a" after "ps" needs --/],
    [['crictl'], /crictl: missing target/],
    [['shell', 'node/x', '--bogus'], /unknown flag: --bogus/],
    [['shell', 'node/x'], /there is no terminal here/],
    [
      ['shell', 'x', '--enter', 'user'],
      /unknown namespace "user"\nhint: namespaces: net, pid, mnt, ipc, uts/,
    ],
    [['shell', 'node/x', '--kubeconfig', '/nowhere', '--', 'id'], /./],
  ])('%j ends with 125', async (words, reason) => {
    const { code, stderr, stdout } = await gkeprof(words);
    expect([code, stdout.toString()]).toEqual([125, '']);
    expect(stderr).toMatch(reason);
  });
});
