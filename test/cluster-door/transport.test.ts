import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer as createProxy } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { openCluster } from '../../src/cluster/api.ts';
import type { Connection } from '../../src/cluster/connection.ts';
import { KUBECTL_PATH } from '../real-kubectl.ts';

const folder = mkdtempSync(join(tmpdir(), 'gkeprof-transport-'));
const open: Server[] = [];

beforeAll(async () => {
  for (const name of ['server', 'other']) {
    const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)];
    const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
    await execa('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      ...files,
      ...subject,
    ]);
  }
});
afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function listening<T extends Server>(server: T): Promise<number> {
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** An API server over TLS that answers as told, and a door to it by a kubeconfig. */
async function door(
  answer: RequestListener,
  { ca = 'server', proxyUrl, ...connection }: Connection & { ca?: string; proxyUrl?: string } = {},
) {
  const keys = {
    key: readFileSync(join(folder, 'server.key')),
    cert: readFileSync(join(folder, 'server.crt')),
  };
  const port = await listening(createServer(keys, answer) as unknown as Server);
  const kubeconfig = join(folder, `config-${port}`);
  const config = {
    clusters: [
      {
        name: 'c',
        cluster: {
          server: `https://127.0.0.1:${port}`,
          'certificate-authority': join(folder, `${ca}.crt`),
          ...(proxyUrl && { 'proxy-url': proxyUrl }),
        },
      },
    ],
    users: [{ name: 'u', user: { token: 'secret' } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  return openCluster(
    { kubeconfig, ...connection },
    { env: { ...process.env, PATH: KUBECTL_PATH }, windows: false },
  );
}

const pod = JSON.stringify({
  kind: 'Pod',
  metadata: { name: 'p', creationTimestamp: '2026-01-01T00:00:00Z' },
});
const asJson = (response: ServerResponse, text: string | Buffer, headers = {}) =>
  response.writeHead(200, { 'Content-Type': 'application/json', ...headers }).end(text);

it('sends the login, the impersonation and who it is, and reads typed objects', async () => {
  let seen: IncomingMessage['headers'] = {};
  const cluster = await door(
    (request, response) => {
      seen = request.headers;
      asJson(response, pod);
    },
    { as: 'bob', asGroups: ['dev'] },
  );
  const read = await cluster.readPod('default', 'p');
  expect(read.metadata?.creationTimestamp).toEqual(new Date('2026-01-01T00:00:00Z'));
  expect(seen).toMatchObject({
    authorization: 'Bearer secret',
    'impersonate-user': 'bob',
    'impersonate-group': 'dev',
    'user-agent': expect.stringMatching(/^kubectl-gkeprof\/\d/) as string,
  });
});

it('asks over one connection, and changes over one that has just answered, or a fresh one', async () => {
  const ports: Array<[string, number]> = [];
  const cluster = await door((request, response) => {
    ports.push([request.method!, request.socket.remotePort!]);
    request.resume().on('end', () => asJson(response, pod));
  });
  const create = () => cluster.createPod({ metadata: { name: 'p', namespace: 'default' } }, false);
  await cluster.readPod('default', 'p');
  await cluster.readPod('default', 'p');
  await create();
  const passing = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 1001);
  await create();
  passing.mockRestore();
  await cluster.readPod('default', 'p');
  expect(ports.map(([method]) => method)).toEqual(['GET', 'GET', 'POST', 'POST', 'GET']);
  const [first, second, created, later, third] = ports.map(([, port]) => port);
  expect([second, created, third]).toEqual([first, first, first]);
  expect(later).not.toBe(first);
});

it('never sends a change twice, not over a kept connection either', async () => {
  let created = 0;
  const cluster = await door((request, response) => {
    if (request.method === 'GET') return asJson(response, pod);
    created += 1;
    return request.socket.destroy();
  });
  await cluster.readPod('default', 'p');
  await expect(cluster.createPod({ metadata: { name: 'p', namespace: 'default' } }, false)).rejects.toThrow(
    /ECONNRESET/,
  );
  expect(created).toBe(1);
});

it('asks about its rights over few connections, and once more when one was closed just then', async () => {
  const ports = new Set<number>();
  let asked = 0;
  const cluster = await door((request, response) => {
    ports.add(request.socket.remotePort!);
    asked += 1;
    if (asked === 7) return request.socket.destroy();
    return request
      .resume()
      .on('end', () =>
        asJson(
          response,
          JSON.stringify({ kind: 'SelfSubjectAccessReview', spec: {}, status: { allowed: true } }),
        ),
      );
  });
  const question = { verb: 'get', resource: 'pods', namespace: 'n', strict: true };
  expect(await Promise.all(Array.from({ length: 6 }, () => cluster.isAllowed(question)))).toEqual(
    Array(6).fill(true),
  );
  expect(ports.size).toBeLessThanOrEqual(3);
  expect(await cluster.isAllowed(question)).toBe(true);
  expect(asked).toBe(8);
});

it.each<[string, number, object, string | undefined]>([
  ['says it', 201, { status: { userInfo: { username: 'alice' } } }, 'alice'],
  ['does not serve the question', 404, { kind: 'Status', code: 404 }, undefined],
  // A cluster may have taken the role system:basic-user from its users.
  ['does not let this user ask', 403, { kind: 'Status', code: 403 }, undefined],
])('asks who it is, of a server that %s', async (_, status, answer, want) => {
  let asked = '';
  const cluster = await door((request, response) => {
    asked = `${request.method} ${request.url}`;
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
  });
  expect(await cluster.whoAmI()).toBe(want);
  expect(asked).toBe('POST /apis/authentication.k8s.io/v1/selfsubjectreviews');
});

it('asks who it is once more when the server has closed the kept connection just then', async () => {
  let asked = 0;
  const cluster = await door((_, response) => {
    asked += 1;
    if (asked === 2) response.destroy();
    else asJson(response, JSON.stringify({ metadata: {}, status: { userInfo: { username: 'alice' } } }));
  });
  await cluster.readPod('default', 'p');
  expect(await cluster.whoAmI()).toBe('alice');
  expect(asked).toBe(3);
});

it('asks once more when the server has closed the kept connection just then', async () => {
  let asked = 0;
  const cluster = await door((request, response) => {
    asked += 1;
    if (asked === 2) request.socket.destroy();
    else asJson(response, pod);
  });
  await cluster.readPod('default', 'p');
  expect((await cluster.readPod('default', 'p')).metadata?.name).toBe('p');
  expect(asked).toBe(3);
});

it('never sends a change twice', async () => {
  let asked = 0;
  const cluster = await door((request) => {
    asked += 1;
    request.socket.destroy();
  });
  await expect(cluster.createPod({ metadata: { name: 'p', namespace: 'default' } }, false)).rejects.toThrow(
    /^the cluster is unreachable: .*ECONNRESET/,
  );
  expect(asked).toBe(1);
});

it('reads packed answers', async () => {
  const list = JSON.stringify({ kind: 'PodList', items: [JSON.parse(pod)] });
  const cluster = await door((request, response) => {
    expect(request.headers['accept-encoding']).toBe('gzip');
    asJson(response, gzipSync(list), { 'Content-Encoding': 'gzip' });
  });
  expect((await cluster.listPods('default')).map((each) => each.metadata?.name)).toEqual(['p']);
});

it.each<[string, RequestListener, Parameters<typeof door>[1], RegExp]>([
  [
    'no answer',
    () => {},
    { requestTimeout: '100ms' },
    /^the API server did not answer in time: timed out after 0\.1 s/,
  ],
  [
    'half an answer',
    (_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1000 }).write('{');
      setTimeout(() => response.destroy(), 50);
    },
    {},
    /^the cluster is unreachable: ECONNRESET: aborted/,
  ],
  [
    'another certificate',
    (_, response) => asJson(response, pod),
    { ca: 'other' },
    /certificate was not accepted/,
  ],
  ['a refusal', (_, response) => response.writeHead(401).end(), {}, /You must be logged in/],
])('says so: %s', async (_, answer, options, message) => {
  const cluster = await door(answer, options);
  await expect(cluster.readPod('default', 'p')).rejects.toThrow(message);
});

it('goes through the proxy that the kubeconfig names', async () => {
  const asked: string[] = [];
  const proxy = createProxy().on('connect', (request, socket, head) => {
    asked.push(request.url!);
    const [host, port] = request.url!.split(':');
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
  });
  const proxyUrl = `http://127.0.0.1:${await listening(proxy)}`;
  const cluster = await door((_, response) => asJson(response, pod), { proxyUrl });
  expect((await cluster.readPod('default', 'p')).metadata?.name).toBe('p');
  expect(asked).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
});

it('names its proxy without the password, or none', async () => {
  const answer: RequestListener = (_, response) => asJson(response, pod);
  const behind = await door(answer, { proxyUrl: 'http://jane:secret@proxy.example:3128' });
  expect(behind.proxy).toBe('http://proxy.example:3128');
  expect((await door(answer)).proxy).toBeUndefined();
});

it('tells a right that is denied from one that nobody answers', async () => {
  const question = { verb: 'create', resource: 'pods', subresource: 'exec', namespace: 'n' };
  const bodies: unknown[] = [];
  const answering = (code: number, body: object) =>
    door((request, response) => {
      let text = '';
      request.on('data', (data) => {
        text += data;
      });
      request.on('end', () => {
        bodies.push(JSON.parse(text).spec.resourceAttributes);
        response.writeHead(code, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
      });
    });
  expect(await (await answering(201, { status: { allowed: true } })).askAccess(question)).toBe(true);
  expect(await (await answering(201, { status: { allowed: false } })).askAccess(question)).toBe(false);
  await expect((await answering(500, { message: 'no' })).askAccess(question)).rejects.toThrow('no');
  expect(bodies).toEqual([question, question, question]);
});

it('reads a namespace with its labels', async () => {
  let asked = '';
  const cluster = await door((request, response) => {
    asked = request.url!;
    asJson(response, JSON.stringify({ metadata: { name: 'gkeprof', labels: { a: 'b' } } }));
  });
  expect((await cluster.readNamespace('gkeprof')).metadata?.labels).toEqual({ a: 'b' });
  expect(asked).toBe('/api/v1/namespaces/gkeprof');
});

it('reads what owns or selects pods, of workloads only the metadata', async () => {
  const asked: string[] = [];
  const cluster = await door((request, response) => {
    asked.push(`${request.url} ${request.headers.accept}`);
    if (request.url!.includes('none'))
      return response
        .writeHead(404, { 'Content-Type': 'application/json' })
        .end(JSON.stringify({ reason: 'NotFound', message: 'services "none" not found' }));
    return asJson(
      response,
      JSON.stringify(
        request.url!.endsWith('/web')
          ? { spec: { selector: { a: 'b' } } }
          : { items: [{ metadata: { name: 'x' } }] },
      ),
    );
  });
  expect(await cluster.readService('shop', 'web')).toEqual({ spec: { selector: { a: 'b' } } });
  expect(await cluster.listPodOwners('services', undefined)).toEqual([{ metadata: { name: 'x' } }]);
  expect(await cluster.listPodOwners('deployments', 'shop', 'a in (b,c)')).toEqual([
    { metadata: { name: 'x' } },
  ]);
  await cluster.listPodOwners('cronjobs', 'shop');
  const metadata = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
  expect(asked).toEqual([
    '/api/v1/namespaces/shop/services/web application/json',
    '/api/v1/services application/json',
    `/apis/apps/v1/namespaces/shop/deployments?labelSelector=a+in+%28b%2Cc%29 ${metadata}`,
    `/apis/batch/v1/namespaces/shop/cronjobs ${metadata}`,
  ]);
  await expect(cluster.readService('shop', 'none')).rejects.toMatchObject({
    code: 3,
    message: 'Error from server (NotFound): services "none" not found',
    cause: { code: 404 },
  });
});

it('gives up every call when it is closed, so that a server that never answers does not hold the command', async () => {
  let arrived = 0;
  const cluster = await door((request) => {
    request.resume();
    arrived += 1;
  });
  const asking = [cluster.readPod('default', 'p'), cluster.deletePod('default', 'p', 5)].map((call) =>
    call.catch((error: unknown) => error as Error),
  );
  await expect.poll(() => arrived).toBe(2);
  await cluster.close();
  const began = Date.now();
  for (const error of await Promise.all(asking)) expect(error).toBeInstanceOf(Error);
  // A call that was not given up has 30 s of its own.
  expect(Date.now() - began).toBeLessThan(25_000);
  expect(arrived).toBe(2);
});

it('hands on how long a busy server wants to be left alone', async () => {
  const { mayPass, retryAfterMs } = await import('../../src/cluster/api-errors.ts');
  const cluster = await door((request, response) => {
    request.resume();
    response
      .writeHead(429, { 'Content-Type': 'application/json', 'Retry-After': '7' })
      .end('{"message":"busy"}');
  });
  const error = await cluster.readPod('default', 'p').catch((each: unknown) => each);
  expect(mayPass(error)).toBe(true);
  expect(retryAfterMs(error)).toBe(7000);
});
