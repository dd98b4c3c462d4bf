import { expect, it } from 'vitest';
import { proxyFromEnvironment } from '../../src/cluster/go-proxy.ts';

/** What golang.org/x/net/http/httpproxy does with NO_PROXY; the matrix compares with kubectl what can be reached on the loopback address. */
it.each<[string, string, boolean]>([
  ['https://api.example', '', true],
  ['https://api.example', 'example', false],
  ['https://api.example', '.example', false],
  ['https://api.example', '*.example', false],
  ['https://example', '.example', true],
  ['https://example', 'EXAMPLE ', false],
  ['https://api.example', 'ple', true],
  ['https://api.example', 'example:443', false],
  ['https://api.example:6443', 'example:443', true],
  ['https://[fd00::1]:6443', 'fd00::1', false],
  ['https://[fd00::1]:6443', '[fd00::1]:6443', false],
  ['https://[fd00::1]:6443', '[fd00::1]:443', true],
  ['https://[fd00::1]', 'fd00::/8', false],
  ['https://[fd00::1]', '10.0.0.0/8', true],
  ['https://10.1.2.3', '10.0.0.0/99', true],
  ['https://[::1]', '', false],
  ['https://127.8.0.1', '', false],
  ['https://localhost', '', false],
  ['https://localhost.example', '', true],
])('%s with NO_PROXY=%j: %s', (url, noProxy, want) => {
  const env = { HTTPS_PROXY: 'proxy.example:3128', NO_PROXY: noProxy };
  expect(proxyFromEnvironment(new URL(url), env)?.href).toBe(want ? 'http://proxy.example:3128/' : undefined);
});
