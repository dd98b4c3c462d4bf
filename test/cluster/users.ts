import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { renderKubeconfig } from './kubeconfig.ts';
import { NEW_PRIVATE_KEY } from './pki.ts';
import { until } from './waiting.ts';

type Administrator = { readonly kubectl: string; readonly kubeconfig: string };

/** Makes a user as Kubernetes knows them, a certificate with a name and groups, signed through its own CSR API. */
export async function createUser(
  admin: Administrator,
  name: string,
  groups: readonly string[],
  kubeconfig: string,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'gkeprof-user-'));
  try {
    const [keyFile, requestFile] = [join(folder, 'key'), join(folder, 'request')];
    const subject = [...groups.map((group) => `/O=${escapeName(group)}`), `/CN=${escapeName(name)}`].join('');
    await execa('openssl', [
      'req',
      '-new',
      ...NEW_PRIVATE_KEY,
      '-subj',
      subject,
      '-keyout',
      keyFile,
      '-out',
      requestFile,
    ]);
    const cert = await sign(admin, await readFile(requestFile));
    const { ca, server } = await clusterOf(admin);
    const key = await readFile(keyFile);
    await mkdir(join(kubeconfig, '..'), { recursive: true });
    await writeFile(kubeconfig, renderKubeconfig(server, name, { ca, cert, key }), { mode: 0o600 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A name as openssl wants it in a subject, where a slash begins the next field and a plus sign continues one. */
export function escapeName(name: string): string {
  return name.replace(/[\\/+=]/g, '\\$&');
}

async function sign(admin: Administrator, request: Uint8Array): Promise<Uint8Array> {
  const name = `gkeprof-test-${randomBytes(6).toString('hex')}`;
  const object = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      request: Buffer.from(request).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
    },
  };
  await kubectl(admin, ['create', '-f', '-'], JSON.stringify(object));
  try {
    await kubectl(admin, ['certificate', 'approve', name]);
    return await until(`the certificate of request ${name}`, 120, async () => {
      const encoded = await kubectl(admin, ['get', 'csr', name, '-o', 'jsonpath={.status.certificate}']);
      return encoded === '' ? undefined : Buffer.from(encoded, 'base64');
    });
  } finally {
    await kubectl(admin, ['delete', 'csr', name]);
  }
}

async function clusterOf(
  admin: Administrator,
): Promise<{ readonly server: string; readonly ca: Uint8Array }> {
  const config = JSON.parse(
    await kubectl(admin, ['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json']),
  );
  const { server, 'certificate-authority-data': ca } = config.clusters[0].cluster;
  return { server, ca: Buffer.from(ca ?? '', 'base64') };
}

async function kubectl(
  { kubectl, kubeconfig }: Administrator,
  args: readonly string[],
  input = '',
): Promise<string> {
  return (await execa(kubectl, args, { env: { KUBECONFIG: kubeconfig }, input })).stdout;
}
