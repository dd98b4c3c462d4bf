import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { exists } from './cache.ts';
import { PKI } from './home.ts';
import { HOST_ADDRESS, NODES, SERVICE_ADDRESS } from './layout.ts';

/** A certificate's name is its user in Kubernetes, its organisation the group; servers add the names they answer to. */
type Certificate = { readonly file: string; readonly subject: string; readonly names?: readonly string[] };

const CERTIFICATES: readonly Certificate[] = [
  { file: 'admin', subject: '/O=system:masters/CN=gkeprof-admin' },
  { file: 'kube-controller-manager', subject: '/CN=system:kube-controller-manager' },
  { file: 'kube-scheduler', subject: '/CN=system:kube-scheduler' },
  { file: 'etcd', subject: '/CN=etcd', names: [`IP:${HOST_ADDRESS}`] },
  {
    // The API server's own, and the one it shows to kubelets.
    file: 'kube-apiserver',
    subject: '/O=system:masters/CN=kube-apiserver',
    names: [`IP:${HOST_ADDRESS}`, `IP:${SERVICE_ADDRESS}`, 'DNS:kubernetes', 'DNS:kubernetes.default.svc'],
  },
  ...NODES.map((node) => ({
    file: node.name,
    subject: `/O=system:nodes/CN=system:node:${node.name}`,
    names: [`IP:${node.address}`, `DNS:${node.name}`],
  })),
];

/** The machine's own configuration would add extensions that clash with those asked for. */
const OPENSSL_CONFIG = '[req]\ndistinguished_name = name\n[name]\n';

export const NEW_PRIVATE_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const NEW_KEY = [...NEW_PRIVATE_KEY, '-sha256', '-days', '365', '-config', 'openssl.cnf'];

/** Makes the certificate authority and everybody's certificate, all of them or none. */
export async function ensurePki(): Promise<void> {
  if (await exists(PKI)) return;
  const unfinished = `${PKI}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  await writeFile(join(unfinished, 'openssl.cnf'), OPENSSL_CONFIG);
  await openssl(unfinished, [
    'req',
    '-x509',
    ...NEW_KEY,
    '-subj',
    '/CN=gkeprof-test',
    ...output('ca'),
    ...add(CA_USE),
  ]);
  await Promise.all([
    ...CERTIFICATES.map((certificate) => issue(unfinished, certificate)),
    makeServiceAccountKeys(unfinished),
  ]);
  await rename(unfinished, PKI);
}

const CA_USE = [
  'basicConstraints=critical,CA:TRUE',
  'keyUsage=critical,keyCertSign,cRLSign,digitalSignature',
];

async function issue(folder: string, { file, subject, names = [] }: Certificate): Promise<void> {
  const extensions = [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature',
    'extendedKeyUsage=clientAuth,serverAuth',
    ...(names.length > 0 ? [`subjectAltName=${names.join(',')}`] : []),
  ];
  await openssl(folder, [
    ...['req', '-x509', '-CA', 'ca.crt', '-CAkey', 'ca.key', ...NEW_KEY, '-subj', subject, ...output(file)],
    ...add(extensions),
  ]);
}

function add(extensions: readonly string[]): string[] {
  return extensions.flatMap((extension) => ['-addext', extension]);
}

async function makeServiceAccountKeys(folder: string): Promise<void> {
  await openssl(folder, [
    'genpkey',
    '-algorithm',
    'EC',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-out',
    'sa.key',
  ]);
  await openssl(folder, ['pkey', '-in', 'sa.key', '-pubout', '-out', 'sa.pub']);
}

function output(file: string): string[] {
  return ['-keyout', `${file}.key`, '-out', `${file}.crt`];
}

async function openssl(folder: string, args: readonly string[]): Promise<void> {
  await execa('openssl', args, { cwd: folder });
}
