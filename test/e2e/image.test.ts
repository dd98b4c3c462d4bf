// The diagnostic image as the test cluster has it: its size, its programs, and its list of materials. A pod that uses it on a root
// file system which cannot be written is in least-privilege.test.ts.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type UnpackedImage, unpackImage } from '../../scripts/image/archive.ts';
import { imageBom } from '../../scripts/image/bom.ts';
import { contentsOf } from '../../scripts/image/contents.ts';
import { COMPRESSED_LIMIT } from '../../scripts/image/table.ts';
import { capturePrograms, captureScript } from '../../src/collectors/script.ts';
import { DEBIAN, ensureArchive, TOOLS } from '../cluster/images.ts';

/** What each program has to do where only /tmp can be written, and without a network. perf records as the script of the node does. */
const USES: Readonly<Record<string, RegExp>> = {
  'perf version': /^perf version \d/,
  'perf record --no-bpf-event --buildid-mmap -e cpu-clock -g -o /tmp/perf.data -- sha256sum /usr/bin/perf && perf script -i /tmp/perf.data -F comm,ip,sym':
    /^sha256sum/m,
  'tcpdump --version': /libpcap version/,
  'tcpdump -y EN10MB -d -- tcp port 6379': /ret +#/,
  'crictl --version': /crictl version 1\./,
  'gkeprof-unwinder version': /ebpf-profiler v/,
  'ss -tan': /State/,
  'ip -o link show': / lo: /,
  'nsenter --net=/proc/self/ns/net -- ip -V': /iproute2/,
  'ps -eo pid,comm': /\bps\b/,
  'perl -e \'use Fcntl qw(:mode); use Socket; printf "perl %vd", $^V\'': /^perl 5/,
  'awk "BEGIN { print 6 * 7 }"': /^42$/,
  'echo text | zstd | zstd -d | gzip | zcat': /^text$/,
  'getconf CLK_TCK; getconf _NPROCESSORS_ONLN': /^\d+\n\d+$/,
  'unshare --mount sh -c "mount -t tmpfs none /run && findmnt --noheadings /run"': /tmpfs/,
  'setsid --wait sh -c "stty --version; find --version"; tar --version; sed --version': /GNU tar/,
  'dd if=/etc/passwd iflag=nofollow,nonblock,fullblock bs=4 count=1 status=none': /^root/,
  'cat /etc/gkeprof-tools': /^linux-perf \d.*\ncrictl version .*\ngkeprof-unwinder /ms,
};

/** apt-get runs in a plain Debian only, and passwd is the name of a file there. */
const NOT_CALLED = ['apt-get', 'passwd'];

describe.skipIf(process.env.GKEPROF_TEST_KUBECONFIG)('the diagnostic image', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-e2e-image-'));
  let image: UnpackedImage;
  let plain: UnpackedImage;
  beforeAll(async () => {
    const silent = () => undefined;
    image = await unpackImage(await ensureArchive(TOOLS, silent), join(folder, 'tools'));
    plain = await unpackImage(await ensureArchive(DEBIAN, silent), join(folder, 'debian'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Runs a command in the image: its root cannot be written, and it has no network. */
  const inImage = async (command: string) => {
    const setup = [
      'mount --bind "$1" "$1"',
      'mount -t proc proc "$1/proc"',
      'mount -t sysfs sys "$1/sys"',
      'mount -t tmpfs tmp "$1/tmp"',
      'mount --rbind /dev "$1/dev"',
      'mount -o remount,bind,ro "$1"',
      'exec chroot "$1" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin bash -c "$2"',
    ].join(' && ');
    const apart = ['--mount', '--net', '--pid', '--fork', '--kill-child'];
    return execa('unshare', [...apart, 'sh', '-c', setup, 'sh', image.root, command], { all: true });
  };

  it('has less than 60 MB to pull', () => {
    expect(image.compressedBytes).toBeLessThan(COMPRESSED_LIMIT);
  });

  it('cannot be written where these tests run it, and has no network', async () => {
    await expect(inImage('touch /etc/new')).rejects.toThrow('Read-only file system');
    expect((await inImage('ip -o addr show scope global')).all).toBe('');
  });

  it.each(Object.entries(USES))('runs %s', async (command, expected) => {
    expect((await inImage(command)).all).toMatch(expected);
  });

  it('has every program of a plain Debian that the scripts of the node name', async () => {
    const programsOf = (root: string) =>
      new Set(['usr/bin', 'usr/sbin'].flatMap((each) => readdirSync(join(root, each))));
    const words = [captureScript(), ...capturePrograms()].join('\n').match(/[a-z][a-z0-9_.-]*/g);
    const named = [...programsOf(plain.root)].filter((program) => words!.includes(program));
    expect(named).toEqual(expect.arrayContaining(['find', 'getconf', 'nsenter', 'perl', 'sha256sum']));
    const there = programsOf(image.root);
    expect(named.filter((program) => !there.has(program)).sort()).toEqual(NOT_CALLED);
  });

  it('has every library that its programs load', async () => {
    const { all } = await inImage(
      'find /usr/bin /usr/sbin /usr/lib -type f -print0 | xargs -0r ldd 2>/dev/null | grep -c "not found" || :',
    );
    expect(all).toBe('0');
  });

  it('lists every package and every Go module in its list of materials', async () => {
    const text = await imageBom(
      { name: 'gkeprof-tools', version: '1', architecture: image.architecture },
      await contentsOf(image.root),
    );
    const { components } = JSON.parse(text) as { components: ReadonlyArray<{ purl?: string; name: string }> };
    const status = join(image.root, 'var/lib/dpkg/status.d');
    const debs = readdirSync(status)
      .filter((name) => !name.endsWith('.md5sums'))
      .map((name) => {
        const stanza = readFileSync(join(status, name), 'utf8');
        const field = (key: string) => new RegExp(`^${key}: (.*)`, 'm').exec(stanza)![1]!;
        return `pkg:deb/debian/${name}@${encodeURIComponent(field('Version'))}`;
      });
    expect(debs.length).toBeGreaterThan(80);
    const listed = components.flatMap(({ purl }) => (purl ? [decodeURIComponent(purl.split('?')[0]!)] : []));
    expect(listed).toEqual(expect.arrayContaining(debs.map(decodeURIComponent)));
    const programs = readdirSync(join(image.root, 'usr/local/bin')).sort();
    expect(programs).toEqual(['crictl', 'gkeprof-unwinder']);
    expect(components.map(({ name }) => name)).toEqual(expect.arrayContaining(programs));
    const paths = programs.map((name) => join(image.root, 'usr/local/bin', name));
    const { stdout } = await execa('go', ['version', '-m', ...paths]);
    const modules = [...stdout.matchAll(/^\t(?:mod|dep|=>)\t(\S+)\t(v\S+)[^\n]*$(?!\n\t=>)/gm)].map(
      ([, path, version]) => `pkg:golang/${path}@${version}`,
    );
    expect(modules.length).toBeGreaterThan(50);
    expect(listed).toEqual(expect.arrayContaining(modules.map(decodeURIComponent)));
    expect(listed).toHaveLength(new Set([...debs, ...modules]).size + new Set(stdout.match(/: go\S+/g)).size);
  });

  it('is refused if it has a file of no package', async () => {
    const stray = join(image.root, 'usr/bin/stray');
    writeFileSync(stray, '');
    try {
      await expect(contentsOf(image.root)).rejects.toThrow('/usr/bin/stray belongs to no package');
    } finally {
      rmSync(stray);
    }
  });
});
