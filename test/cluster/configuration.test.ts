import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { isUsable } from './api.ts';
import { renderKubeconfig } from './kubeconfig.ts';
import { NODES } from './layout.ts';
import { withoutLoopback } from './network.ts';
import { cniConfig, containerdConfig, kubeletConfig } from './node-config.ts';
import { renderStatus } from './status.ts';
import { escapeName } from './users.ts';

const [nodeA, nodeB] = [NODES[0]!, NODES[1]!];

describe('the nodes', () => {
  it('share nothing that has to be their own', () => {
    for (const field of ['name', 'address', 'podRange', 'link', 'cgroup'] as const) {
      expect(nodeA[field]).not.toBe(nodeB[field]);
    }
  });

  it('have names that the kernel takes for links', () => {
    for (const { link } of NODES) expect(link.length).toBeLessThan(16);
  });
});

describe('kubeletConfig', () => {
  it('keeps the pods of each node below its own cgroup', () => {
    expect(JSON.parse(kubeletConfig(nodeA)).cgroupRoot).toBe('/gkeprof/node-a');
    expect(JSON.parse(kubeletConfig(nodeB)).cgroupRoot).toBe('/gkeprof/node-b');
  });

  it('lets nobody in without a name and asks the API server what they may do', () => {
    const { authentication, authorization } = JSON.parse(kubeletConfig(nodeA));
    expect(authentication.anonymous.enabled).toBe(false);
    expect(authorization.mode).toBe('Webhook');
  });
});

describe('cniConfig', () => {
  it('gives pods addresses of their own node', () => {
    const { plugins } = JSON.parse(cniConfig(nodeB, 1400));
    expect(plugins[0].ipam.ranges).toEqual([[{ subnet: '10.240.2.0/24' }]]);
    expect(plugins[0].mtu).toBe(1400);
  });
});

describe('containerdConfig', () => {
  it('uses the CNI plugins where they were found', () => {
    expect(containerdConfig('/opt/cni/bin')).toContain('bin_dir = "/opt/cni/bin"');
  });
});

describe('renderKubeconfig', () => {
  it('is YAML that needs no other file', () => {
    const text = renderKubeconfig('https://10.240.0.1:6443', 'sre', {
      ca: Buffer.from('ca'),
      cert: Buffer.from('cert'),
      key: Buffer.from('key'),
    });
    const config = load(text) as { clusters: { cluster: object }[]; users: { name: string; user: object }[] };
    expect(config.clusters[0]!.cluster).toEqual({
      server: 'https://10.240.0.1:6443',
      'certificate-authority-data': 'Y2E=',
    });
    expect(config.users[0]).toEqual({
      name: 'sre',
      user: { 'client-certificate-data': 'Y2VydA==', 'client-key-data': 'a2V5' },
    });
  });
});

describe('escapeName', () => {
  it('keeps a name one field of a certificate subject', () => {
    expect(escapeName('system:masters/CN=admin+x\\')).toBe('system:masters\\/CN\\=admin\\+x\\\\');
  });
});

describe('withoutLoopback', () => {
  it('keeps what pods can reach', () => {
    const text = 'nameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53\nsearch example.org\n';
    expect(withoutLoopback(text)).toBe('nameserver 192.0.2.53\nsearch example.org\n');
  });
});

describe('isUsable', () => {
  const start = Date.parse('2026-01-01T12:00:00.700Z');
  const ready = { type: 'Ready', status: 'True', lastHeartbeatTime: '2026-01-01T12:00:00Z' };

  it('takes a heartbeat of the second in which the kubelet started', () => {
    expect(isUsable({ spec: {}, status: { conditions: [ready] } }, start)).toBe(true);
  });

  it('does not believe a heartbeat of before the start', () => {
    const old = { ...ready, lastHeartbeatTime: '2026-01-01T11:59:59Z' };
    expect(isUsable({ spec: {}, status: { conditions: [old] } }, start)).toBe(false);
  });

  it.each([
    ['not ready', { spec: {}, status: { conditions: [{ ...ready, status: 'Unknown' }] } }],
    ['tainted', { spec: { taints: [{}] }, status: { conditions: [ready] } }],
    ['new', { spec: {}, status: {} }],
  ])('does not take a node that is %s', (_, node) => {
    expect(isUsable(node, start)).toBe(false);
  });
});

describe('renderStatus', () => {
  it('has one line each, aligned', () => {
    const lines = [
      { name: 'etcd', isUp: true, detail: 'pid 7' },
      { name: 'node-a', isUp: false, detail: 'not running' },
    ];
    expect(renderStatus(lines)).toBe('up    etcd    pid 7\nDOWN  node-a  not running\n');
  });
});
