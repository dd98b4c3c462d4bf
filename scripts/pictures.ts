// `npm run pictures`: makes the documentation's pictures anew, from the recordings beside them.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PICTURES, picture, pictureNames } from '../test/browser/doc-pictures.ts';

for (const name of pictureNames) await writeFile(join(PICTURES, name), await picture(name));
