import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cached, filesBelow, keyOf } from '../cluster/cache.ts';
import { CACHE } from '../cluster/home.ts';

const SOURCES = join(import.meta.dirname, 'krew');

/** krew and its own validator of manifests, built once from their sources; returns the folder. */
export async function krewPrograms(): Promise<string> {
  return cached(join(CACHE, `krew-${keyOf(await filesBelow(SOURCES))}`), async (unfinished) => {
    await mkdir(unfinished);
    const programs = ['krew', 'validate-krew-manifest'].map((name) => `sigs.k8s.io/krew/cmd/${name}`);
    await execa(
      'go',
      ['build', '-mod=readonly', '-trimpath', '-buildvcs=false', '-o', `${unfinished}/`, ...programs],
      {
        cwd: SOURCES,
        env: {
          CGO_ENABLED: '0',
          GOFLAGS: '',
          GOWORK: 'off',
          GOMODCACHE: join(CACHE, 'go', 'modules'),
          GOCACHE: join(CACHE, 'go', 'build'),
        },
      },
    );
  });
}
