import { describe, expect, it } from 'vitest';
import { openerOf } from '../../src/files/open.ts';

describe('openerOf', () => {
  const at = (more: object) => openerOf({ windows: false, macos: false, env: {}, ...more })?.join(' ');
  it.each([
    [{}, 'xdg-open'],
    [{ macos: true }, 'open'],
    [{ windows: true }, 'rundll32 url.dll,FileProtocolHandler'],
    [{ env: { SSH_CONNECTION: '10.0.0.1 1 10.0.0.2 22' } }, undefined],
    [{ macos: true, env: { SSH_TTY: '/dev/pts/1' } }, undefined],
  ])('%j: %s', (desktop, expected) => expect(at(desktop)).toBe(expected));
});
