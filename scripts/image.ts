// `npm run image -- FILE [--bom FILE] [--most N]`: what is in an image of image/Dockerfile, and how large each part is. FILE is
// what `docker save` wrote. With --bom its list of materials is written as CycloneDX JSON. Above 60 MB to pull, it fails.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { unpackImage } from './image/archive.ts';
import { imageBom } from './image/bom.ts';
import { contentsOf } from './image/contents.ts';
import { COMPRESSED_LIMIT, megabytes, rowsOf, tableOf } from './image/table.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { bom: { type: 'string' }, most: { type: 'string' } },
});
const [file] = positionals;
if (file === undefined || positionals.length > 1)
  throw new Error('usage: npm run image -- FILE [--bom FILE] [--most N]');
const manifest = await readFile(join(import.meta.dirname, '../package.json'), 'utf8');
const { version } = JSON.parse(manifest) as { version: string };
const work = await mkdtemp(join(tmpdir(), 'gkeprof-image-'));
try {
  const { root, compressedBytes, architecture } = await unpackImage(file, work);
  const contents = await contentsOf(root);
  const rows = await rowsOf(root, contents);
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  process.stdout.write(tableOf(rows, values.most === undefined ? undefined : Number(values.most)));
  process.stdout.write(
    `\n${megabytes(bytes)} MB for ${architecture}, ${megabytes(compressedBytes)} MB to pull (gzip); ${contents.packages.length} packages\n`,
  );
  if (values.bom !== undefined)
    await writeFile(values.bom, await imageBom({ name: 'gkeprof-tools', version, architecture }, contents));
  if (compressedBytes > COMPRESSED_LIMIT)
    throw new Error(`the image may have ${megabytes(COMPRESSED_LIMIT)} MB to pull at most`);
} finally {
  await rm(work, { recursive: true, force: true });
}
