// A registry inside the network of a node, which holds every pull until it is let go on. It has only the manifest of an image
// that the node has already, so nothing else is asked for. Run by nsenter: `node slow-registry.ts PORT MANIFEST`.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';

const [port, path] = process.argv.slice(2);
const manifest = readFileSync(path!);
const { mediaType } = JSON.parse(manifest.toString());
const held: Array<() => void> = [];
let isHeld = true;

function serve(answer: ServerResponse, isHead: boolean): void {
  answer.writeHead(200, {
    'content-type': mediaType ?? 'application/vnd.oci.image.manifest.v1+json',
    'content-length': manifest.length,
    'docker-content-digest': `sha256:${createHash('sha256').update(manifest).digest('hex')}`,
  });
  answer.end(isHead ? undefined : manifest);
}

createServer((asked, answer) => {
  if (!/\/manifests\//.test(asked.url ?? '')) {
    answer.writeHead(asked.url === '/v2/' ? 200 : 404).end();
    return;
  }
  const go = () => serve(answer, asked.method === 'HEAD');
  if (!isHeld) return go();
  held.push(go);
  process.stdout.write('asked\n');
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));

createInterface(process.stdin).on('line', (line) => {
  isHeld = line === 'hold';
  if (!isHeld) for (const go of held.splice(0)) go();
});
process.stdin.on('end', () => process.exit(0));
