import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const PLUGIN = join(import.meta.dirname, '../plugin/kubectl-gkeprof');

it('ends with its exit code, even if a signal comes while Node.js shuts down', async () => {
  for (let run = 0; run < 5; run += 1) {
    const child = spawn(process.execPath, [PLUGIN, 'manifests'], { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.resume();
    await once(child.stdout, 'data');
    // The result is out: whatever comes now cannot undo it.
    const signals = setInterval(() => child.kill('SIGINT'), 0);
    const [code, signal] = await once(child, 'exit');
    clearInterval(signals);
    expect({ code, signal }).toEqual({ code: 0, signal: null });
  }
});
