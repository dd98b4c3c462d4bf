import { afterEach, expect, it, vi } from 'vitest';
import { ensureProgramsImage } from './programs.ts';

afterEach(() => vi.unstubAllEnvs());

it('on somebody else’s cluster the image is the one that is named, and a missing name is an error', async () => {
  vi.stubEnv('GKEPROF_TEST_KUBECONFIG', '/nowhere');
  vi.stubEnv('GKEPROF_TEST_PROGRAMS_IMAGE', 'registry.example/programs:1');
  expect(await ensureProgramsImage()).toBe('registry.example/programs:1');
  vi.stubEnv('GKEPROF_TEST_PROGRAMS_IMAGE', '');
  await expect(ensureProgramsImage()).rejects.toThrow('GKEPROF_TEST_PROGRAMS_IMAGE is not set');
});
