import { execa } from 'execa';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { closeTerminals, terminal } from '../terminal.ts';
import {
  debugPods,
  environment,
  eventually,
  gkeprof,
  kubectl,
  leavesNothing,
  NAMESPACE,
  outputFolder,
  world,
} from './world.ts';

const folder = outputFolder();

async function open(line: string, columns = 111) {
  const typed = await terminal(columns, `kubectl gkeprof ${line}`, {
    rows: 33,
    folder: folder.path(),
    env: {
      ...environment(world().sreShell),
      GKEPROF_IMAGE: world().images.tools,
      TERM: 'xterm',
      SHELL: '/bin/sh',
      TZ: 'UTC',
      LC_ALL: 'C.UTF-8',
    },
  });
  return {
    ...typed,
    /** Until something stands there; fails with all that does when it never does. */
    async sees(pattern: RegExp): Promise<string> {
      const screen = await typed.shows((text) => pattern.test(text));
      expect(screen).toMatch(pattern);
      return screen;
    },
  };
}

/**
 * Ctrl-C to what runs in a shell. A terminal throws away what was typed and not read (termios(3), NOFLSH), so it has to run
 * before, and the shell to ask again after.
 */
async function interrupted(shell: Awaited<ReturnType<typeof open>>): Promise<void> {
  await shell.sees(/^it-runs$/m);
  await shell.presses('C-c');
  await shell.sees(/\^C\n.*[#$]\s*$/);
}

const node = () => `node/${world().nodes[0]}`;
const inRedis = `-n ${NAMESPACE} -c redis`;

describe('a shell in a terminal', () => {
  leavesNothing();
  // What is still open when a test fails ends here; hooks run from the last to the first.
  afterEach(closeTerminals);

  it('has its size, Ctrl-C for what runs in it, the tools, and its status; the pod goes when it is left', async () => {
    const shell = await open(`shell ${node()}`);
    await shell.sees(/gkeprof:node-a .*\$ *$/m);
    await shell.types('stty size; id -u; perf version; crictl version');
    const shown = await shell.sees(/RuntimeName: +containerd/);
    expect(shown).toMatch(/^33 111\n0\nperf version \d/m);
    expect(shown).not.toContain('"event"');
    await shell.becomes(90, 20);
    await shell.types('until [ "$(stty size)" = "20 90" ]; do sleep 0.1; done; stty size');
    await shell.sees(/^20 90$/m);
    await shell.types('echo it-"runs"; sleep 1000; echo "sleep ended"');
    await interrupted(shell);
    await shell.types('echo still-"here"');
    expect(await shell.sees(/^still-here$/m)).not.toMatch(/^sleep ended$/m);
    await shell.types('exit 7');
    expect(await shell.ended()).toMatch(/\[exit 7\]$/m);
    const none = (pods: readonly string[]) => pods.length === 0;
    expect(await eventually(debugPods, none)).toEqual([]);
  });

  it('is in a container’s namespaces: its files, its pids, its name', async () => {
    const shell = await open(`shell redis-0 ${inRedis} --enter mnt,pid,uts,ipc,net`);
    await shell.sees(/[#$] *$/m);
    await shell.types('cat /proc/1/comm; hostname; which redis-server');
    expect(await shell.sees(/^\/\S+redis-server$/m)).toMatch(/^redis-server\nredis-0$/m);
    await shell.types('exit 3');
    expect(await shell.ended()).toMatch(/\[exit 3\]$/m);
  });

  it('hangs up what ran in it when its client is killed, and nothing runs past that', async () => {
    const shell = await open(`shell ${node()}`);
    await shell.sees(/gkeprof:node-a .*\$ *$/m);
    const [pod] = await debugPods();
    // The policy lets nobody look into `files` in this way: it is not in force for this test.
    const binding = ['validatingadmissionpolicybinding', 'gkeprof-exec'];
    const { spec } = JSON.parse(await kubectl(['get', ...binding, '-o', 'json']));
    await kubectl(['delete', ...binding]);
    onTestFinished(async () => {
      const metadata = { name: 'gkeprof-exec', labels: { 'app.kubernetes.io/name': 'gkeprof' } };
      const [apiVersion, kind] = ['admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicyBinding'];
      await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion, kind, metadata, spec }));
    });
    const inFiles = (...words: string[]) =>
      kubectl(['exec', '-n', 'gkeprof', pod!, '-c', 'files', '--', ...words]).catch(() => '');
    // What follows the output for the client would outlive it, and must not speak for it.
    const processes = 'cat /proc/[0-9]*/cmdline | tr "\\0" "\\n"';
    const running = await eventually(
      () => inFiles('sh', '-c', processes),
      (text) => text !== '',
    );
    expect(running).toContain('gkeprof-files');
    expect(running).not.toContain('gkeprof-follow');
    const { stdout } = await execa('pgrep', ['-P', String(await shell.pid())]);
    process.kill(Number(stdout.split('\n')[0]), 'SIGKILL');
    // A client that is there touches the lease; two minutes without are made up here.
    const touch = ['touch', '-d', '3 minutes ago', '/gkeprof/ctl/lease'];
    await inFiles(...touch);
    const path = '{.status.containerStatuses[?(@.name=="capture")].state}';
    const state = () => kubectl(['get', '-n', 'gkeprof', pod!, '-o', `jsonpath=${path}`]);
    expect(await eventually(state, (text) => text.includes('terminated'), 100)).toContain('terminated');
    await kubectl(['delete', '-n', 'gkeprof', pod!]);
  });
});

describe('in a terminal', () => {
  leavesNothing();
  afterEach(closeTerminals);

  it('crictl exec -it has the container’s own terminal, its size, Ctrl-C and status', async () => {
    const shell = await open(`crictl redis-0 ${inRedis} -- exec -it sh`);
    await shell.sees(/[#$] *$/m);
    await shell.types('stty size; test -t 0 && echo "a terminal"; cat /proc/1/comm');
    expect(await shell.sees(/^redis-server$/m)).toMatch(/^33 111\na terminal$/m);
    await shell.becomes(90, 20);
    await shell.types('until [ "$(stty size)" = "20 90" ]; do sleep 0.1; done; stty size');
    await shell.sees(/^20 90$/m);
    await shell.types('echo it-"runs"; sleep 1000');
    await interrupted(shell);
    await shell.types('echo still-"here"');
    await shell.sees(/^still-here$/m);
    await shell.types('exit 5');
    expect(await shell.ended()).toMatch(/\[exit 5\]$/m);
  });

  it('ps cuts long commands at the edge', async () => {
    const [processes] = (await (await open(`ps redis-0 -n ${NAMESPACE}`, 170)).ended()).split(/^CONTAINER/m);
    const [head, ...rows] = processes!.trimEnd().split('\n');
    expect(head).toMatch(/^USER .* COMMAND$/);
    for (const row of rows) expect(row).toMatch(/^\S+ +\d+ /);
    // The load's script is longer. A blank at the edge is not in what the terminal shows.
    const longest = Math.max(...rows.map((row) => row.length));
    expect([169, 170]).toContain(longest);
  });

  it('ps --watch is drawn anew, until Ctrl-C', async () => {
    const watch = await open(`ps redis-0 -n ${NAMESPACE} --watch`, 200);
    await watch.sees(/redis-server \*:6379/);
    await watch.presses('C-c');
    expect(await watch.ended()).toMatch(/\[exit 0\]$/m);
  });

  it.each([
    [40, /^capturing \d+s of 12s · \d+ dropped$/],
    [80, /^capturing \d+s of 12s · \d+ dropped · /],
    [200, /^capturing \d+s of 12s · \d+ dropped · .*packets\/s · /],
  ])(
    'a capture has one line that changes, of %i columns, then the result alone',
    async (columns, figures) => {
      const live = await open(`pcap redis-0 -n ${NAMESPACE} --port 6379 --duration 12s`, columns);
      // The second report of the node, after 3 s or on a busy machine later, is the first one with a rate.
      await live.sees(/capturing (?:[4-9]|1[0-2])s of 12s/);
      const during = (await live.sees(new RegExp(figures.source, 'm'))).trimEnd().split('\n');
      expect(during.at(-1)).toMatch(figures);
      expect(during.filter((line) => line.startsWith('capturing'))).toHaveLength(1);
      const after = await live.ended();
      expect(after).not.toContain('capturing');
      expect(after).toMatch(/^Results:$/m);
      expect(after).toMatch(/\[exit 0\]$/m);
    },
  );
});

describe('without a terminal', () => {
  leavesNothing();

  it('shell runs a command with the tools, on the node or in the pod’s network', async () => {
    const ip = await kubectl(['get', 'pod', '-n', NAMESPACE, 'redis-0', '-o', 'jsonpath={.status.podIP}']);
    const inPod = ['shell', 'redis-0', '-n', NAMESPACE, '--enter'];
    const net = await gkeprof([...inPod, 'net', '--', 'ip', '-o', 'addr']);
    expect(net.stdout).toContain(` ${ip}/`);
    const words = [...inPod, 'mnt,pid', '-c', 'redis', '--', 'sh', '-c', 'which redis-server; exit 6'];
    const files = await gkeprof(words);
    expect([files.code, files.stdout]).toEqual([6, expect.stringContaining('redis-server')]);
    const tools = await gkeprof(['shell', `node/${world().nodes[1]}`, '--', 'crictl', 'version']);
    expect(tools.stdout).toContain('containerd');
  });

  it('shell needs a command, and the right to attach where there is one', async () => {
    const none = await gkeprof(['shell', node()]);
    expect([none.code, none.stderr]).toEqual([125, expect.stringContaining('there is no terminal here')]);
    const exec = ['crictl', 'redis-0', '-n', NAMESPACE, '-c', 'redis', '--', 'exec', '-i', 'cat'];
    const refused = await gkeprof(exec, { kubeconfig: world().sre });
    expect([refused.code, refused.stderr]).toEqual([
      125,
      expect.stringMatching(/you may not create pods\/(exec|attach)/),
    ]);
  });
});
