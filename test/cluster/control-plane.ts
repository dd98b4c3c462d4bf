import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { apiGet } from './api.ts';
import { DAEMONS, PKI, RUN } from './home.ts';
import { API_SERVER, CONTROL_PLANE_CGROUP, HOST_ADDRESS, SERVICE_RANGE } from './layout.ts';
import { type Daemon, ensureDaemon, whileRunning } from './processes.ts';

const ETCD = `https://${HOST_ADDRESS}:2379`;
const ETCD_PEER = `https://${HOST_ADDRESS}:2380`;

function pki(file: string): string {
  return join(PKI, file);
}

function component(name: string, flags: Readonly<Record<string, string | number | boolean>>): Daemon {
  const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  return { name, cgroup: CONTROL_PLANE_CGROUP, command: [join(DAEMONS, name), ...args] };
}

function etcd(): Daemon {
  return component('etcd', {
    name: 'gkeprof',
    'data-dir': join(RUN, 'etcd'),
    'listen-client-urls': ETCD,
    'advertise-client-urls': ETCD,
    'listen-peer-urls': ETCD_PEER,
    'initial-advertise-peer-urls': ETCD_PEER,
    'initial-cluster': `gkeprof=${ETCD_PEER}`,
    'cert-file': pki('etcd.crt'),
    'key-file': pki('etcd.key'),
    'trusted-ca-file': pki('ca.crt'),
    'client-cert-auth': true,
    'peer-cert-file': pki('etcd.crt'),
    'peer-key-file': pki('etcd.key'),
    'peer-trusted-ca-file': pki('ca.crt'),
    'peer-client-cert-auth': true,
    // Nobody misses this data after a power cut, and a test machine's disk is slow to flush.
    'unsafe-no-fsync': true,
    'log-level': 'warn',
  });
}

function apiServer(): Daemon {
  return component('kube-apiserver', {
    'bind-address': HOST_ADDRESS,
    'advertise-address': HOST_ADDRESS,
    'secure-port': 6443,
    'allow-privileged': true,
    'authorization-mode': 'Node,RBAC',
    'enable-admission-plugins': 'NodeRestriction',
    'client-ca-file': pki('ca.crt'),
    'tls-cert-file': pki('kube-apiserver.crt'),
    'tls-private-key-file': pki('kube-apiserver.key'),
    'kubelet-client-certificate': pki('kube-apiserver.crt'),
    'kubelet-client-key': pki('kube-apiserver.key'),
    'kubelet-certificate-authority': pki('ca.crt'),
    'kubelet-preferred-address-types': 'InternalIP',
    'etcd-servers': ETCD,
    'etcd-cafile': pki('ca.crt'),
    'etcd-certfile': pki('kube-apiserver.crt'),
    'etcd-keyfile': pki('kube-apiserver.key'),
    'service-account-issuer': API_SERVER,
    'service-account-key-file': pki('sa.pub'),
    'service-account-signing-key-file': pki('sa.key'),
    'service-cluster-ip-range': SERVICE_RANGE,
  });
}

/** Controllers and scheduler are alone: an election would only cost time, and leases would outlive a kill -9. */
const ALONE = { 'bind-address': HOST_ADDRESS, 'leader-elect': false };

function controllerManager(): Daemon {
  return component('kube-controller-manager', {
    ...ALONE,
    kubeconfig: pki('kube-controller-manager.kubeconfig'),
    'use-service-account-credentials': true,
    'service-account-private-key-file': pki('sa.key'),
    'root-ca-file': pki('ca.crt'),
    'cluster-signing-cert-file': pki('ca.crt'),
    'cluster-signing-key-file': pki('ca.key'),
    // It makes this folder.
    'flex-volume-plugin-dir': join(RUN, 'volumeplugins'),
  });
}

function scheduler(): Daemon {
  return component('kube-scheduler', { ...ALONE, kubeconfig: pki('kube-scheduler.kubeconfig') });
}

/** The daemons of the control plane in the order in which they need each other. */
export function controlPlane(): readonly Daemon[] {
  return [etcd(), apiServer(), controllerManager(), scheduler()];
}

/** Starts etcd and the API server unless they run, and returns when the API can be used. */
export async function ensureApiServer(): Promise<void> {
  await mkdir(join(RUN, 'etcd'), { recursive: true, mode: 0o700 });
  await ensureDaemon(etcd());
  await ensureDaemon(apiServer());
  await whileRunning(apiServer(), 'a ready API server', 300, () => apiGet('/readyz'));
}

/** Starts what acts on the API's objects, and returns when namespace `default` can hold pods. */
export async function ensureControllers(): Promise<void> {
  await ensureDaemon(controllerManager());
  await ensureDaemon(scheduler());
  await whileRunning(controllerManager(), 'a service account in namespace default', 300, () =>
    apiGet('/api/v1/namespaces/default/serviceaccounts/default'),
  );
}
