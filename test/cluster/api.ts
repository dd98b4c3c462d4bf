import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { PKI } from './home.ts';
import { API_SERVER } from './layout.ts';

/** Asks the API server as the administrator; undefined when it does not answer, or with anything but 200. */
export async function apiGet(path: string): Promise<string | undefined> {
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'admin.crt', 'admin.key'].map((file) => readFile(join(PKI, file)).catch(() => undefined)),
  );
  if (!ca || !cert || !key) return undefined;
  return new Promise((resolve) => {
    const get = request(
      new URL(path, API_SERVER),
      { ca, cert, key, agent: false, timeout: 5000 },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve(response.statusCode === 200 ? body : undefined));
        response.on('error', () => resolve(undefined));
      },
    );
    get.on('timeout', () => get.destroy());
    get.on('error', () => resolve(undefined));
    get.end();
  });
}

type Condition = { readonly type: string; readonly status: string; readonly lastHeartbeatTime: string };
type PodList = { readonly items?: readonly { readonly metadata: { readonly uid: string } }[] | null };
type Node = {
  readonly spec: { readonly taints?: readonly unknown[] };
  readonly status: { readonly conditions?: readonly Condition[] };
};

/** Whether the scheduler can use a node and its kubelet has reported since `kubeletStart` (ms since 1970). */
export async function isNodeReady(name: string, kubeletStart: number): Promise<boolean> {
  const node = await apiGet(`/api/v1/nodes/${name}`);
  return node !== undefined && isUsable(JSON.parse(node) as Node, kubeletStart);
}

/** Whether a node's kubelet can be reached and knows its pods: before that, exec is told that they do not exist. */
export async function knowsItsPods(name: string): Promise<boolean> {
  const [bound, known] = await Promise.all([
    podsOf(`/api/v1/pods?fieldSelector=spec.nodeName=${name}`),
    podsOf(`/api/v1/nodes/${name}/proxy/pods`),
  ]);
  return bound?.every((uid) => known?.includes(uid)) === true && known !== undefined;
}

async function podsOf(path: string): Promise<string[] | undefined> {
  const list = await apiGet(path);
  return list === undefined
    ? undefined
    : ((JSON.parse(list) as PodList).items ?? []).map(({ metadata }) => metadata.uid);
}

/** What the API says of a node outlives its kubelet by most of a minute: only a newer heartbeat counts. */
export function isUsable({ spec, status }: Node, kubeletStart: number): boolean {
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  // Heartbeats come in whole seconds.
  const isNew = Date.parse(ready?.lastHeartbeatTime ?? '') >= Math.floor(kubeletStart / 1000) * 1000;
  return ready?.status === 'True' && isNew && !spec.taints?.length;
}
