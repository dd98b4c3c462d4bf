import { describe, expect, it } from 'vitest';
import { chosenImage, defaultImage } from '../../src/cli/images.ts';
import { gkeprof } from '../command-line.ts';

const DIGEST = `ghcr.io/x/gkeprof-tools@sha256:${'a'.repeat(64)}`;
const run = async (words: readonly string[], env = {}) => {
  const { code, stdout, stderr } = await gkeprof(['image', ...words], '', env);
  return { code, stdout: stdout.toString(), stderr };
};

describe('the default image', () => {
  it('is a plain Debian until one is published, and then needs nothing installed', () => {
    expect(defaultImage(undefined)).toEqual({ image: 'debian:trixie-slim', install: true });
    expect(defaultImage(DIGEST)).toEqual({ image: DIGEST, install: false });
    expect(chosenImage('tools:1')).toEqual({ image: 'tools:1', install: false });
    expect(() => chosenImage('a;b')).toThrow('--image: "a;b" is not the name of an image');
  });
});

describe('image list', () => {
  it.each([
    [[], {}, 'debian:trixie-slim  installed at start'],
    [[], { GKEPROF_IMAGE: 'r.example/t:1' }, 'r.example/t:1  in the image'],
    [['--image', DIGEST], {}, `${DIGEST}  in the image`],
  ])('%j %j', async (words, env, line) => {
    const { code, stdout, stderr } = await run(['list', ...words], env);
    expect([code, stdout.split('\n')[1], stderr]).toEqual([0, line, '']);
  });
});

describe('image mirror', () => {
  it('prints how the image is copied for all processors', async () => {
    expect(await run(['mirror', 'r.example:5000/team/t:2', '--image', DIGEST])).toEqual({
      code: 0,
      stdout: `docker buildx imagetools create --tag r.example:5000/team/t:2 ${DIGEST}
export GKEPROF_IMAGE=r.example:5000/team/t:2
`,
      stderr: '',
    });
  });

  it('prints how one is built where there is none to copy, with the version as its tag', async () => {
    const { code, stdout, stderr } = await run(['mirror', 'r.example:5000/t']);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^docker buildx build --platform linux\/amd64,linux\/arm64 --tag r\.example:5000\/t:\d+\.\d+\.\d+ --push image\nexport /,
    );
    expect(stderr).toMatch(/^debian:trixie-slim has no tools to copy/);
  });

  it.each([
    [['mirror'], 'image mirror: missing name of the copy'],
    [['mirror', 't'], '"t" cannot be the name of a copy'],
    [['mirror', DIGEST], 'cannot be the name of a copy'],
    [['mirror', 'r.example/t;reboot'], '"r.example/t;reboot" cannot be the name of a copy'],
    [['list', 'x/y'], 'image list takes no name'],
    [['push'], 'image: unknown subcommand "push"'],
    [[], 'image: missing argument'],
  ])('refuses %j', async (words, message) => {
    const { code, stdout, stderr } = await run(words);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr).toContain('\nhint: ');
  });
});
