import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** An API server over TLS on the loopback address, and a folder with a kubeconfig that leads to it. */
export interface ApiServer {
  readonly folder: string;
  readonly url: string;
  /** Writes a kubeconfig with this user, and returns its path. */
  kubeconfig(user: object, more?: object): string;
  close(): void;
}

export async function apiServer(answer: RequestListener): Promise<ApiServer> {
  const folder = mkdtempSync(join(tmpdir(), 'gkeprof-door-'));
  const [key, cert] = [join(folder, 'server.key'), join(folder, 'server.crt')];
  await execa('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-keyout', key, '-out', cert, '-subj', '/CN=api', '-addext', 'subjectAltName=IP:127.0.0.1'],
  ]);
  const server = createServer(
    { key: readFileSync(key), cert: readFileSync(cert) },
    answer,
  ) as unknown as Server;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    folder,
    url,
    kubeconfig(user, more = {}) {
      const path = join(folder, 'kubeconfig');
      const config = {
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster: { server: url, 'certificate-authority': 'server.crt' } }],
        users: [{ name: 'u', user }],
        contexts: [
          { name: 'x', context: { cluster: 'c', user: 'u' } },
          { name: 'other', context: { cluster: 'c', user: 'u' } },
        ],
        'current-context': 'x',
        ...more,
      };
      writeFileSync(path, JSON.stringify(config));
      return path;
    },
    close() {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** What it says of whatever it is asked for. */
export const NOT_FOUND = JSON.stringify({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  message: 'reached',
  reason: 'NotFound',
  code: 404,
});
