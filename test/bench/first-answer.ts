import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { KUBECONFIG, RUN } from '../cluster/home.ts';

interface Kubeconfig {
  clusters: Array<{ cluster: { server: string; 'certificate-authority-data': string } }>;
  users: Array<{ user: { 'client-certificate-data': string; 'client-key-data': string } }>;
}

const bytes = (base64: string) => Buffer.from(base64, 'base64');

/**
 * Milliseconds from the start of each command to the first whole answer it has from the API, best and median of `runs`
 * in turn. The API server's own certificate stands before it, where the time is taken; both commands go that way.
 */
export async function toFirstAnswer(
  commands: readonly string[],
  runs: number,
  folder: string,
  env: NodeJS.ProcessEnv,
): Promise<Array<{ best: number; median: number }>> {
  const config = load(await readFile(KUBECONFIG, 'utf8')) as Kubeconfig;
  const { cluster } = config.clusters[0]!;
  const { user } = config.users[0]!;
  const upstream = new URL(cluster.server);
  const agent = new Agent({
    keepAlive: true,
    ca: bytes(cluster['certificate-authority-data']),
    cert: bytes(user['client-certificate-data']),
    key: bytes(user['client-key-data']),
  });
  let answered = Number.NaN;
  const server = createServer(
    {
      key: await readFile(join(RUN, 'pki/kube-apiserver.key')),
      cert: await readFile(join(RUN, 'pki/kube-apiserver.crt')),
      requestCert: true,
      rejectUnauthorized: false,
    },
    ({ method, url, headers }, answer) => {
      request({ host: upstream.hostname, port: upstream.port, method, path: url, headers, agent }, (real) => {
        answer.writeHead(real.statusCode!, real.headers);
        real.pipe(answer);
        real.once('end', () => {
          if (Number.isNaN(answered)) answered = performance.now();
        });
      }).end();
    },
  );
  server.listen(0, upstream.hostname);
  await once(server, 'listening');
  cluster.server = `https://${upstream.hostname}:${(server.address() as AddressInfo).port}`;
  const path = join(folder, 'kubeconfig');
  await writeFile(path, JSON.stringify(config));
  const times = commands.map((): number[] => []);
  for (let run = -2; run < runs; run += 1)
    for (const [at, command] of commands.entries()) {
      answered = Number.NaN;
      const [program, ...words] = command.split(' ');
      const begin = performance.now();
      const child = spawn(program!, words, {
        env: { ...process.env, ...env, KUBECONFIG: path },
        stdio: 'ignore',
      });
      await once(child, 'exit');
      // The first two fill the caches of both.
      if (run >= 0) times[at]!.push(answered - begin);
    }
  server.close();
  agent.destroy();
  return times.map((all) => {
    const sorted = all.toSorted((a, b) => a - b);
    return { best: sorted[0]!, median: sorted[Math.floor(sorted.length / 2)]! };
  });
}
