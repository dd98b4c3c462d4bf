import { expect, it } from 'vitest';
import { runPlugin } from '../../src/cluster/exec-plugin.ts';
import type { Chosen } from '../../src/cluster/kubeconfig.ts';

it('puts an install hint of several lines on one line', async () => {
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'gkeprof-no-such-plugin',
    interactiveMode: 'Never',
    installHint: '\nInstall it,\n\t\tas example.test says.\n',
  };
  const chosen = { user: { exec }, cluster: {} } as unknown as Chosen;
  await expect(runPlugin(chosen, { env: {}, windows: false })).rejects.toMatchObject({
    message: 'getting credentials: exec: executable gkeprof-no-such-plugin not found',
    hint: 'Install it, as example.test says.',
  });
});
