// `npm run docs`: writes the reference anew.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { toolVersion } from '../src/version.ts';
import { ROOT, reference } from './reference.ts';

for (const [path, text] of reference(toolVersion())) {
  await mkdir(dirname(join(ROOT, path)), { recursive: true });
  await writeFile(join(ROOT, path), text);
}
