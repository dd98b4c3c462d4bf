import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { load } from 'js-yaml';

interface Kubeconfig {
  readonly clusters: ReadonlyArray<{
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }>;
  readonly users: ReadonlyArray<{
    readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string };
  }>;
}

/** An API server's answer: its status code, and the object in it. */
export interface Answer {
  readonly status: number;
  readonly body: { readonly message?: string; readonly reason?: string } & Record<string, unknown>;
}

/** Calls the API server as the user of a kubeconfig with certificates, over a few connections that are kept. */
export function apiAs(kubeconfig: string): (method: string, path: string, body?: unknown) => Promise<Answer> {
  const { clusters, users } = load(readFileSync(kubeconfig, 'utf8')) as Kubeconfig;
  const { server, 'certificate-authority-data': ca } = clusters[0]!.cluster;
  const { 'client-certificate-data': cert, 'client-key-data': key } = users[0]!.user;
  const bytes = (data: string) => Buffer.from(data, 'base64');
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const send = (method: string, path: string, body: unknown) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const call = request(
        new URL(path, server),
        {
          method,
          agent,
          ca: bytes(ca),
          cert: bytes(cert),
          key: bytes(key),
          headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString() }),
          );
        },
      );
      call.on('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  return async (method, path, body) => {
    for (;;) {
      const { status, text } = await send(method, path, body);
      // A server that is busy says so in plain text, and wants to be asked again.
      if (status !== 429) return { status, body: JSON.parse(text) };
      await delay(1000);
    }
  };
}
