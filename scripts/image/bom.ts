import { Enums, Models } from '@cyclonedx/cyclonedx-library';
import { PackageURL } from 'packageurl-js';
import { serialized } from '../release/sbom.ts';
import type { Contents, DebianPackage, GoProgram } from './contents.ts';

/**
 * What the image consists of, as CycloneDX 1.6 JSON: Debian with its packages, and the Go programs with their modules and with Go
 * itself. No time and no serial number, so that the same image has the same bytes. Throws if the document is not valid.
 */
export async function imageBom(
  image: { readonly name: string; readonly version: string; readonly architecture: string },
  { debian, packages, programs }: Contents,
): Promise<string> {
  const whole = new Models.Component(Enums.ComponentType.Container, image.name, {
    version: image.version,
    description: `for ${image.architecture}`,
    bomRef: image.name,
  });
  const system = new Models.Component(Enums.ComponentType.OperatingSystem, debian.name, {
    version: debian.version,
    bomRef: `${debian.name}-${debian.version}`,
  });
  const debs = packages.map((each) => ofDebian(each, `${debian.name}-${debian.version}`));
  const modules = new Map<string, Models.Component>();
  const tools = programs.map((program) => ofGo(program, modules));
  for (const part of [system, ...debs, ...tools]) whole.dependencies.add(part.bomRef);
  return serialized(
    new Models.Bom({
      metadata: new Models.Metadata({ component: whole }),
      components: new Models.ComponentRepository([system, ...debs, ...tools, ...modules.values()]),
    }),
  );
}

function ofDebian({ name, version, architecture, source }: DebianPackage, distro: string): Models.Component {
  const qualifiers = { arch: architecture, distro, upstream: `${source.name}@${source.version}` };
  const purl = new PackageURL('deb', 'debian', name, version, qualifiers).toString();
  return new Models.Component(Enums.ComponentType.Library, name, { version, purl, bomRef: purl });
}

function ofGo(program: GoProgram, modules: Map<string, Models.Component>): Models.Component {
  const { name, version, from } = program;
  const tool = new Models.Component(Enums.ComponentType.Application, name, {
    bomRef: name,
    ...(version && { version }),
    description: `built from ${from}`,
  });
  for (const { path, version } of [...program.modules, { path: 'stdlib', version: program.goVersion }]) {
    const at = path.lastIndexOf('/');
    const purl = new PackageURL(
      'golang',
      path.slice(0, Math.max(at, 0)),
      path.slice(at + 1),
      version,
    ).toString();
    const module =
      modules.get(purl) ??
      new Models.Component(Enums.ComponentType.Library, path, { version, purl, bomRef: purl });
    modules.set(purl, module);
    tool.dependencies.add(module.bomRef);
  }
  return tool;
}
