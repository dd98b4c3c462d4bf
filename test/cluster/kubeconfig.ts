import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KUBECONFIG, PKI } from './home.ts';
import { API_SERVER, NODES } from './layout.ts';

type Credentials = { readonly ca: Uint8Array; readonly cert: Uint8Array; readonly key: Uint8Array };

/** A kubeconfig that needs no other file; JSON, which is YAML too. */
export function renderKubeconfig(server: string, user: string, { ca, cert, key }: Credentials): string {
  const name = 'gkeprof-test';
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [
      { name: user, user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } },
    ],
    contexts: [{ name, context: { cluster: name, user, namespace: 'default' } }],
    'current-context': name,
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** Writes the kubeconfig of the holder of a certificate in the cluster's PKI. */
async function writeKubeconfig(certificate: string, path: string): Promise<void> {
  const read = (file: string) => readFile(join(PKI, file));
  const [ca, cert, key] = await Promise.all([
    read('ca.crt'),
    read(`${certificate}.crt`),
    read(`${certificate}.key`),
  ]);
  await writeFile(path, renderKubeconfig(API_SERVER, certificate, { ca, cert, key }), { mode: 0o600 });
}

/** Writes everybody's kubeconfig: the administrator's for people, the others beside the certificates. */
export async function writeKubeconfigs(): Promise<void> {
  const components = ['kube-controller-manager', 'kube-scheduler', ...NODES.map((node) => node.name)];
  await Promise.all([
    writeKubeconfig('admin', KUBECONFIG),
    ...components.map((component) => writeKubeconfig(component, join(PKI, `${component}.kubeconfig`))),
  ]);
}
