import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isWsl, openersFor, openFile } from '../../src/files/open.ts';

describe('openersFor', () => {
  const at = (more: object) =>
    openersFor({ windows: false, macos: false, wsl: false, env: {}, ...more }).map(({ words }) =>
      words.join(' '),
    );
  it.each([
    [{}, ['xdg-open']],
    [{ macos: true }, ['open']],
    [{ windows: true }, ['rundll32 url.dll,FileProtocolHandler']],
    [{ wsl: true }, ['wslview', 'explorer.exe', 'xdg-open']],
    [{ env: { SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22' } }, []],
    [{ macos: true, env: { SSH_TTY: '/dev/pts/1' } }, []],
    [{ wsl: true, env: { SSH_TTY: '/dev/pts/1' } }, []],
  ])('%j: %j', (desktop, expected) => expect(at(desktop)).toEqual(expected));
});

it.each([
  [{ WSL_DISTRO_NAME: 'Debian' }, '', true],
  [{}, 'Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com) (gcc version 5.4.0)', true],
  [{}, 'Linux version 5.15.167.4-microsoft-standard-WSL2 (root@f9c826d3017f) (gcc 11.2.0)', true],
  [{}, 'Linux version 6.12.48+deb13-amd64 (debian-kernel@lists.debian.org) (gcc-14 14.2.0)', false],
  [{ WSL_DISTRO_NAME: '' }, '', false],
])('isWsl of %j and "%s" is %s', (env, kernel, expected) => expect(isWsl(env, kernel)).toBe(expected));

describe('openFile inside Windows', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gkeprof-open-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const program = (name: string, script: string) => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  const open = () =>
    openFile('/tmp/a picture.svg', {
      ...{ windows: false, macos: false },
      env: { WSL_DISTRO_NAME: 'Debian', PATH: folder },
    });
  const opened = () => readFileSync(join(folder, 'opened'), 'utf8');
  const note = () => `printf '%s: %s\\n' "$0" "$*" > ${join(folder, 'opened')}`;
  /** As WSL's own does it. */
  const wslpath = () => program('wslpath', 'printf "%s %s\\n" "$1" "\\\\\\\\wsl.localhost\\\\Debian$2"');

  it('takes wslview where it is installed', async () => {
    program('wslview', note());
    expect(await open()).toBeUndefined();
    expect(opened()).toBe(`${join(folder, 'wslview')}: /tmp/a picture.svg\n`);
  });

  it('hands explorer.exe the name that Windows has for the file, and ignores its exit code', async () => {
    wslpath();
    program('explorer.exe', `${note()}; exit 1`);
    expect(await open()).toBeUndefined();
    expect(opened()).toBe(
      `${join(folder, 'explorer.exe')}: -w \\\\wsl.localhost\\Debian/tmp/a picture.svg\n`,
    );
  });

  it('goes on where the programs of Windows cannot be run', async () => {
    program('xdg-open', note());
    expect(await open()).toBeUndefined();
    expect(opened()).toBe(`${join(folder, 'xdg-open')}: /tmp/a picture.svg\n`);
  });

  it('says why none of them opened it', async () => {
    wslpath();
    program('xdg-open', 'exit 3');
    expect(await open()).toBe(
      'there is no wslview on PATH; there is no explorer.exe on PATH; xdg-open ended with 3',
    );
  });
});
