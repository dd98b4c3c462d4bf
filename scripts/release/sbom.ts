import { NODE_VERSION } from './platforms.ts';

interface Lock {
  readonly packages: Readonly<
    Record<
      string,
      {
        version?: string;
        integrity?: string;
        license?: string;
        dev?: boolean;
        optional?: boolean;
        devOptional?: boolean;
      }
    >
  >;
}

/**
 * What a release is made of, as CycloneDX 1.6 JSON (https://cyclonedx.org/docs/1.6/json/): the packages of the lock file
 * that are no development dependencies, and the Node that executables carry. No time and no serial number, so that the
 * same release has the same bytes.
 */
export function sbom(lockText: string, version: string): string {
  const lock = JSON.parse(lockText) as Lock;
  const packages = Object.entries(lock.packages)
    .filter(([path, each]) => path && !each.dev && !each.devOptional && each.version)
    .map(([path, each]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      const purl = `pkg:npm/${name.replace('@', '%40')}@${each.version}`;
      const [algorithm, hash] = each.integrity?.split('-') ?? [];
      return {
        type: 'library',
        'bom-ref': `${path}@${each.version}`,
        name,
        version: each.version,
        ...(each.license && { licenses: [{ expression: each.license }] }),
        ...(algorithm === 'sha512' &&
          hash && { hashes: [{ alg: 'SHA-512', content: Buffer.from(hash, 'base64').toString('hex') }] }),
        purl,
      };
    });
  const node = {
    type: 'platform',
    'bom-ref': `node@${NODE_VERSION}`,
    name: 'node',
    version: NODE_VERSION,
    purl: `pkg:generic/node@${NODE_VERSION}`,
  };
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': 'kubectl-gkeprof',
        name: 'kubectl-gkeprof',
        version,
        licenses: [{ license: { id: 'Apache-2.0' } }],
      },
    },
    components: [...packages, node],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
