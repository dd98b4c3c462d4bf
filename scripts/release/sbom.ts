import { Contrib, Enums, Models, Serialize, Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { PackageURL } from 'packageurl-js';
import parseExpression from 'spdx-expression-parse';
import type { Material } from './materials.ts';

/** The versions of Node and of its parts, as in `process.versions`. */
export type NodeVersions = Readonly<Record<string, string | undefined>>;

/** Numbers of interfaces, which are no parts. */
const INTERFACES = new Set(['node', 'modules', 'napi']);

/**
 * What an archive is made of, as CycloneDX 1.6 JSON (https://cyclonedx.org/docs/1.6/json/): the packages in the bundle,
 * and the Node that an executable carries, with its parts. No time and no serial number, so that the same release has
 * the same bytes. Throws if the document is not valid.
 */
export async function sbom(
  release: Contrib.FromNodePackageJson.Types.NodePackageJson,
  materials: readonly Material[],
  node?: NodeVersions,
): Promise<string> {
  const builder = new Contrib.FromNodePackageJson.Builders.ComponentBuilder(
    new Contrib.FromNodePackageJson.Factories.ExternalReferenceFactory(),
    new Contrib.License.Factories.LicenseFactory(parseExpression),
  );
  const component = (
    manifest: Contrib.FromNodePackageJson.Types.NodePackageJson,
    type: Enums.ComponentType,
  ): Models.Component => {
    const made = builder.makeComponent(manifest, type);
    if (!made?.version) throw new Error('a package has no name or version');
    made.purl = new PackageURL('npm', made.group, made.name, made.version).toString();
    made.bomRef.value = made.purl;
    return made;
  };
  const whole = component(release, Enums.ComponentType.Application);
  const parts = materials.map(({ manifest, integrity }) => {
    const made = component(manifest, Enums.ComponentType.Library);
    const [algorithm, hash] = integrity?.split('-') ?? [];
    if (algorithm === 'sha512' && hash)
      made.hashes.set(Enums.HashAlgorithm['SHA-512'], Buffer.from(hash, 'base64').toString('hex'));
    return made;
  });
  if (node) parts.push(nodeComponent(node));
  for (const part of parts) whole.dependencies.add(part.bomRef);
  const bom = new Models.Bom({
    metadata: new Models.Metadata({ component: whole }),
    components: new Models.ComponentRepository(parts),
  });
  return serialized(bom);
}

/** The document as text. Throws if it is not valid. */
export async function serialized(bom: Models.Bom): Promise<string> {
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  const text = serializer.serialize(bom, { sortLists: true, space: 2 });
  const invalid = await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text);
  if (invalid !== null) throw new Error(`the list of materials is not valid: ${JSON.stringify(invalid)}`);
  return `${text}\n`;
}

function nodeComponent(versions: NodeVersions): Models.Component {
  const part = (name: string, version: string, type: Enums.ComponentType) => {
    const purl = new PackageURL('generic', undefined, name, version).toString();
    return new Models.Component(type, name, { version, purl, bomRef: purl });
  };
  const { node } = versions;
  if (node === undefined) throw new Error('the version of Node is missing');
  const whole = part('node', node, Enums.ComponentType.Platform);
  whole.cpe = `cpe:2.3:a:nodejs:node.js:${node}:*:*:*:-:*:*:*`;
  for (const [name, version] of Object.entries(versions))
    if (version && !INTERFACES.has(name))
      whole.components.add(part(name, version, Enums.ComponentType.Library));
  return whole;
}
