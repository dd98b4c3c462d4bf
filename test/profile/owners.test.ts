import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compare } from '../../src/profile/compare/compare.ts';
import { foldedChunks } from '../../src/profile/export/folded.ts';
import { toPprof } from '../../src/profile/export/pprof.ts';
import { speedscopePieces } from '../../src/profile/export/speedscope.ts';
import { mergeProfiles } from '../../src/profile/merge-profiles.ts';
import { ownerLines, ownerRows } from '../../src/profile/owner-rows.ts';
import { type NamedPod, sampledPods } from '../../src/profile/owners.ts';
import { folded, read } from './reading.ts';

// A recording of a real node with `-F +cgroup` (perf 6.12), of which a few samples of each cgroup were kept.
const TEXT = readFileSync(new URL('./node.perf-script.txt', import.meta.url), 'utf8');

const PODS: readonly NamedPod[] = [
  {
    namespace: 'shop',
    name: 'half',
    uids: ['f46255e3-2cde-4a23-a53a-d046fbf22111'],
    containers: [{ id: '06d01b6871621d637681caa12e6228ed32500797f8c0daa584f79a49eba5f007', name: 'burn' }],
  },
  {
    namespace: 'shop',
    name: 'fifth',
    uids: ['34f6bf06-5aee-4a36-85e0-d373248802be'],
    containers: [
      { id: 'eca0a6dcc24f7cbd738ad7e1fbba3083870b526480903946597b8e154806aedf', name: 'one' },
      { id: 'a0ad6df8d097a6f435cec5572341a0180be9624f8100a52f6286461fedaf1427', name: 'two' },
    ],
  },
  // A container of another pod with the id of one of these does not count.
  {
    namespace: 'evil',
    name: 'copy',
    uids: ['00000000-0000-4000-8000-000000000000'],
    containers: [{ id: '06d01b6871621d637681caa12e6228ed32500797f8c0daa584f79a49eba5f007', name: 'fake' }],
  },
];

/** The samples of the text by a plain look at its lines. */
const counted = (wanted: RegExp) =>
  TEXT.split('\n\n').filter((sample) => wanted.test(sample.replace(/^(?:#.*\n)+/, ''))).length;

/** One sample of a thread, in perf's own form. */
const sample = (comm: string, pid: number, cgroup: string, frames: readonly string[], time = 1) =>
  `${comm} ${String(pid).padStart(7)}/${String(pid).padEnd(7)} [000] ${`${time}.000000:`.padStart(13)}   10101010 cpu-clock:  ${cgroup}\n${frames.map((frame) => `\t    ffffffff81000000 ${frame}\n`).join('')}\n`;

const KERNEL = '([kernel.kallsyms])';
const WORK = ['work+0x1 (/bin/x)'];
const foldOf = async (text: string, options = {}) => folded((await read(text, options)).profile);

describe('whose the samples of a node are', () => {
  it('is told by the cgroups: as many samples as the text has of each', async () => {
    const { profile } = await read(TEXT, { pods: PODS });
    const rows = ownerRows(profile)!;
    const samplesOf = (name: string) => rows.find((row) => row.name === name)?.samples ?? 0;
    expect(samplesOf('shop/half')).toBe(counted(/podf46255e3/));
    expect(samplesOf('shop/fifth')).toBe(counted(/pod34f6bf06/));
    expect(rows.find(({ name }) => name === 'shop/fifth')!.containers).toMatchObject([
      { name: 'one', samples: counted(/eca0a6dcc24f7/) },
      { name: 'two', samples: counted(/a0ad6df8d097a/) },
    ]);
    expect(samplesOf('cgroup /spike')).toBe(counted(/: {2}\/spike\n/));
    expect(samplesOf('cgroup /gkeprof/node-a/system')).toBe(counted(/\/gkeprof\/node-a\/system\n/));
    // Pods of another list of names keep their UID, and their containers the beginning of the id.
    expect(rows.find(({ name }) => name.startsWith('pod ceadd33c'))).toMatchObject({
      kind: 'pod',
      podUid: 'ceadd33c-538e-4660-9dc4-a155066ab15a',
      containers: [{ name: '864fd8afe729e' }, { name: '55f021b873a19' }],
    });
    expect(samplesOf('kernel') + samplesOf('cgroup /')).toBe(counted(/cpu-clock: {2}\/(?:\n|$)/));
    expect(rows.reduce((sum, { samples }) => sum + samples, 0)).toBe(profile.samples);
    expect(rows.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(folded(profile)).not.toContain('fake');
  });

  it("keeps the kernel's own threads apart, but no process that is only seen in a system call", async () => {
    const { profile } = await read(TEXT, { pods: PODS });
    const inKernel = profile.threads.filter(({ owner }) => owner?.kind === 'kernel').map(({ comm }) => comm);
    expect(new Set(inKernel.filter((comm) => !comm.startsWith(':')))).toEqual(
      new Set(
        ['kcompactd0', 'kdamond.0', 'ksoftirqd/0', 'ksoftirqd/1', 'kswapd0', 'kworker/0:1-eve'].concat(
          'kworker/1:1H-kb',
        ),
      ),
    );
    expect(
      await foldOf(
        sample('exiting', 7, '/', [`exit_mm+0x1 ${KERNEL}`, `entry_SYSCALL_64_after_hwframe+0x1 ${KERNEL}`]) +
          sample('kthreadd', 2, '/', [`kthread+0x1 ${KERNEL}`, `ret_from_fork+0x1 ${KERNEL}`]) +
          sample('vhost', 9, '/system.slice/kvm.service', [`kthread+0x1 ${KERNEL}`]),
      ),
    ).toBe(
      [
        'cgroup_/;exiting;entry_SYSCALL_64_after_hwframe;exit_mm 1',
        'kernel;kthreadd;ret_from_fork;kthread 1',
        'kvm.service;vhost;kthread 1\n',
      ].join('\n'),
    );
  });

  const ID = 'a'.repeat(64);
  const UID = '430eb98a-8da4-4a68-8aa1-9376d13fd3f0';
  const pod = (uids: string[]) => ({
    ...{ namespace: 'ns', name: 'web', uids },
    containers: [{ id: ID, name: 'app' }],
  });
  it.each([
    [
      `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice/cri-containerd-${ID}.scope`,
      'ns/web;app',
    ],
    [`/kubepods/pod${UID}/${ID}/init.scope`, 'ns/web;app'],
    [`/kubepods/pod${UID}`, 'ns/web'],
    [`/kubepods/pod${UID}/${'b'.repeat(64)}`, 'ns/web;bbbbbbbbbbbbb'],
    ['/system.slice/containerd.service', 'containerd.service'],
    ['/user.slice/user-0.slice/session-1.scope', 'session-1.scope'],
    ['/init.scope', 'init.scope'],
    ['unknown', 'unknown_cgroup'],
    [`/${'long/'.repeat(30)}end`, `cgroup_…/${'long/'.repeat(11)}end`],
    // A container that makes a cgroup with the name of another pod stays where it is.
    [`/kubepods/pod${UID}/${ID}/kubepods/pod${'1'.repeat(32)}/${'c'.repeat(64)}`, 'ns/web;app'],
  ])('of %s', async (cgroup, outer) => {
    expect(await foldOf(sample('x', 5, cgroup, WORK), { pods: [pod([UID])] })).toBe(`${outer};x;work 1\n`);
  });

  it('of a static pod, whose cgroup is called after the hash of its manifest', async () => {
    const hash = 'd'.repeat(32);
    const text = sample('x', 5, `/kubepods/burstable/pod${hash}/${ID}`, WORK);
    expect(await foldOf(text, { pods: [pod([UID, hash])] })).toBe('ns/web;app;x;work 1\n');
  });

  it('does not take the beginning of a path for a cgroup, where the text is cut', async () => {
    const text = sample('x', 5, '/system.slice/a.service', WORK).repeat(2);
    const cut = text.slice(0, text.lastIndexOf('ervice'));
    expect(await foldOf(cut)).toBe('a.service;x;work 1\n');
  });

  it('changes nothing where the text has no cgroups', async () => {
    const plain = TEXT.replaceAll(/(cpu-clock:) .*/g, '$1');
    const { profile } = await read(plain, { pods: PODS });
    expect(ownerRows(profile)).toBeUndefined();
    const outer = (text: string) =>
      text.replaceAll(/^(?:(?:shop\/\w+|pod_[^;]*);[^;]*|cgroup_[^;]*|kernel);/gm, '');
    const sums = new Map<string, number>();
    for (const line of outer(await foldOf(TEXT, { pods: PODS }))
      .trim()
      .split('\n')) {
      const [, stack, count] = /^(.*) (\d+)$/.exec(line)!;
      sums.set(stack!, (sums.get(stack!) ?? 0) + Number(count));
    }
    expect([...sums].map(([stack, count]) => `${stack} ${count}`).sort()).toEqual(
      folded(profile).trim().split('\n').sort(),
    );
  });
});

describe('a recording of a node', () => {
  it('is filtered by the names of pods and containers', async () => {
    const lines = (await foldOf(TEXT, { pods: PODS, include: /^two$/ })).trim().split('\n');
    expect(lines.every((line) => line.startsWith('shop/fifth;two;'))).toBe(true);
    expect(await foldOf(TEXT, { pods: PODS, exclude: /^shop\// })).not.toContain('shop/');
  });

  it('leaves out a pod, and says how many samples that are', async () => {
    const { profile, samplesBeforeFilter } = await read(TEXT, {
      pods: PODS,
      except: { namespace: 'shop', name: 'fifth' },
    });
    expect(profile.except).toEqual({ pod: 'shop/fifth', samples: counted(/pod34f6bf06/) });
    expect(profile.samples).toBe(samplesBeforeFilter - counted(/pod34f6bf06/));
    expect(folded(profile)).not.toContain('fifth');
    const byUid = await read(TEXT, {
      except: { name: 'any', uids: ['34f6bf06-5aee-4a36-85e0-d373248802be'] },
    });
    expect(byUid.profile.samples).toBe(profile.samples);
    const other = await read(TEXT, { pods: PODS, except: { namespace: 'other', name: 'fifth' } });
    expect(other.profile.except).toEqual({ pod: 'other/fifth', samples: 0 });
    // Of several files the sum counts.
    expect(mergeProfiles([profile, profile]).except!.samples).toBe(2 * counted(/pod34f6bf06/));
    expect(ownerRows(mergeProfiles([profile, profile]))!.map(({ name }) => name)).toEqual(
      ownerRows(profile)!.map(({ name }) => name),
    );
  });

  it('tells when each pod ran', async () => {
    const { profile } = await read(TEXT, { pods: PODS });
    const timeline = profile.timeline!;
    const at = (second: number) =>
      [...timeline.stack].flatMap((row, entry) =>
        Math.floor(timeline.at[entry]! / 100_000) === second
          ? [profile.threads[profile.stacks.thread[row]!]!.owner!.name]
          : [],
      );
    expect(at(0)).toContain('shop/half');
    expect(at(5)).not.toContain('shop/half');
    expect(timeline.stack).toHaveLength(profile.samples);
  });

  it('has its pools of threads merged within the frames of pods, and pods stay apart', async () => {
    const pods = ['web-1', 'web-2'].map((name, at) => ({
      ...{ namespace: 'ns', name, containers: [] },
      uids: [`430eb98a-8da4-4a68-8aa1-9376d13fd3f${at}`],
    }));
    const text = [0, 1]
      .flatMap((at) =>
        [1, 2].map((worker) =>
          sample(`worker-${worker}`, 5 + at, `/kubepods/pod430eb98a-8da4-4a68-8aa1-9376d13fd3f${at}`, WORK),
        ),
      )
      .join('');
    const { profile } = await read(text, { pods, mergeThreads: true });
    expect(folded(profile)).toBe('ns/web-1;worker-*;work 2\nns/web-2;worker-*;work 2\n');
    expect(ownerRows(profile)).toMatchObject([
      { name: 'ns/web-1', samples: 2 },
      { name: 'ns/web-2', samples: 2 },
    ]);
  });

  it('keeps the frames of pods in every format that is read again', async () => {
    const { profile } = await read(TEXT, { pods: PODS });
    const whole = folded(profile);
    const kinds = ({ frames }: typeof profile) =>
      new Set(frames.filter(({ kind }) => kind === 'thread').map(({ name }) => name));
    const speedscope = (await read([...speedscopePieces(profile, 'kubectl-gkeprof test')].join(''))).profile;
    expect(folded(speedscope)).toBe(whole);
    expect(kinds(speedscope)).toEqual(kinds(profile));
    const pprof = (await read(toPprof(profile, 'kubectl-gkeprof test'))).profile;
    expect(folded(pprof)).toBe(whole);
    expect(kinds(pprof)).toEqual(kinds(profile));
    expect(folded((await read(Buffer.concat([...foldedChunks(profile, false)]))).profile)).toBe(whole);
  });

  it('is the same as its folded stacks in a comparison', async () => {
    const { profile } = await read(TEXT, { pods: PODS });
    const text = (await read(folded(profile))).profile;
    const { tree, beforeTotal } = compare(text, profile);
    expect([...tree.total]).toEqual([...beforeTotal]);
  });

  it('knows the pods that were sampled', async () => {
    const { profile } = await read(TEXT, { pods: PODS });
    expect(sampledPods(profile, PODS).map(({ name }) => name)).toEqual(['half', 'fifth']);
  });

  it('is a table in 80 columns, the busiest first, with the containers of a pod that has several', async () => {
    const { profile } = await read(TEXT, { pods: PODS });
    const lines = ownerLines(ownerRows({ ...profile, about: { target: 'x', frequencyHz: 99, seconds: 1 } })!);
    expect(lines[0]).toBe('pods and services, by cores busy and share:');
    expect(lines.slice(1)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^ +0\.06 +10\.9 % {2}shop\/fifth$/),
        expect.stringMatching(/^ +0\.03 +5\.5 % {4}one$/),
        expect.stringMatching(/^ +0\.03 +5\.5 % {2}shop\/half, burn$/),
      ]),
    );
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('has idle CPUs in nobody’s row', async () => {
    const idle = sample('swapper', 0, '/', [`default_idle+0x1 ${KERNEL}`, `cpu_startup_entry+0x1 ${KERNEL}`]);
    const text = idle.repeat(9) + sample('x', 5, '/init.scope', WORK);
    const { profile } = await read(text, { noIdle: false });
    expect(ownerRows(profile)).toMatchObject([{ name: 'init.scope', samples: 1, share: 1 }]);
    // The same out of folded stacks, which have no threads.
    expect((await read(folded(profile), { noIdle: true })).profile.samples).toBe(1);
  });
});
