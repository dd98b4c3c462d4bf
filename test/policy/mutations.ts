/**
 * Every pod that differs from a given one in one place, by the schema that the API server itself publishes (/openapi/v3/api/v1):
 * each field removed, set to something else, or added with each thing that it can hold; each list longer, shorter and in another order.
 */

/** A schema of OpenAPI v3, as far as Kubernetes uses it. */
export interface Schema {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly required?: readonly string[];
}

export type Schemas = Readonly<Record<string, Schema>>;
type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type Path = ReadonlyArray<string | number>;

export interface Mutation {
  readonly what: string;
  readonly pod: Json;
}

/** What a field of this name can hold, where any string would be refused before a policy sees it. */
const VALUES: Readonly<Record<string, readonly Json[]>> = {
  image: ['docker.io/attacker/evil:1'],
  imagePullPolicy: ['Always', 'Never'],
  path: ['/etc'],
  mountPath: ['/usr/local/sbin', '/usr/bin'],
  subPath: ['ctl'],
  subPathExpr: ['$(X)'],
  restartPolicy: ['Always', 'OnFailure'],
  dnsPolicy: ['ClusterFirst', 'ClusterFirstWithHostNet'],
  nodeName: ['node-b'],
  serviceAccountName: ['default', 'builder'],
  serviceAccount: ['default', 'builder'],
  priorityClassName: ['system-node-critical'],
  preemptionPolicy: ['Never'],
  runtimeClassName: ['gvisor'],
  terminationMessagePath: ['/gkeprof/ctl/t'],
  terminationMessagePolicy: ['FallbackToLogsOnError'],
  workingDir: ['/gkeprof/ctl', '/proc/1234/root'],
  procMount: ['Unmasked'],
  mountPropagation: ['Bidirectional', 'HostToContainer'],
  recursiveReadOnly: ['IfPossible'],
  medium: ['Memory'],
  sizeLimit: ['1Mi'],
  fsGroupChangePolicy: ['Always'],
  supplementalGroupsPolicy: ['Strict', 'Merge'],
  seLinuxChangePolicy: ['Recursive'],
  operator: ['Exists', 'Equal'],
  effect: ['NoExecute'],
  topologyKey: ['kubernetes.io/hostname'],
  whenUnsatisfiable: ['DoNotSchedule'],
  devicePath: ['/dev/sdx'],
  protocol: ['UDP'],
  scheme: ['HTTP'],
  uid: ['11111111-1111-1111-1111-111111111111'],
  kind: ['Pod'],
  apiVersion: ['v1'],
  namespace: ['kube-system'],
  ip: ['1.2.3.4'],
  server: ['1.2.3.4'],
  generateName: ['g-'],
  creationTimestamp: ['2020-01-01T00:00:00Z'],
  resource: ['limits.cpu'],
  containerName: ['files'],
  stopSignal: ['SIGKILL'],
  signerName: ['x.y/z'],
  hostnameOverride: ['x'],
};

const DEEPEST = 7;
const PODS = 'io.k8s.api.core.v1.Pod';
/** Named by who submits, or filled in by the server whatever is sent. */
const LEFT_ALONE = new Set(['status', 'apiVersion', 'kind', 'metadata.namespace', 'metadata.managedFields']);

/** All mutations of a pod, each other than the pod and than those before it. */
export function mutationsOf(pod: Json, schemas: Schemas): Mutation[] {
  const found: Mutation[] = [];
  const seen = new Set([JSON.stringify(pod)]);
  const resolve = (schema: Schema): Schema => {
    if (schema.$ref) return resolve(schemas[schema.$ref.split('/').at(-1)!]!);
    if (schema.allOf?.length === 1)
      return resolve({ ...schema, ...schema.allOf[0]!, allOf: undefined as never });
    return schema;
  };
  const add = (what: string, change: (copy: Json) => void): void => {
    const copy = structuredClone(pod);
    change(copy);
    const text = JSON.stringify(copy);
    if (seen.has(text)) return;
    seen.add(text);
    found.push({ what, pod: copy });
  };

  function samples(given: Schema, name: string, depth: number): Json[] {
    const schema = resolve(given);
    const isScalar = schema.type !== 'object' && schema.type !== 'array';
    if (isScalar && VALUES[name] && !schema.enum) return [...VALUES[name]];
    if (schema.enum) return schema.enum.filter((value) => value !== '');
    if (schema.type === 'boolean') return [true, false];
    if (schema.type === 'integer') return [1, 999];
    if (schema.type === 'number') return [1];
    if (schema.oneOf || schema.format === 'int-or-string') return [/port/i.test(name) ? 8080 : '50m'];
    if (schema.type === 'array')
      return samples(schema.items!, name.replace(/s$/, ''), depth + 1).map((each) => [each]);
    if (schema.additionalProperties)
      return /^(limits|requests|allocatedResources)$/.test(name)
        ? [{ cpu: '50m' }]
        : samples(schema.additionalProperties, name, depth + 1)
            .slice(0, 1)
            .map((each) => ({ 'x.example/y': each }));
    if (schema.type === 'object' || schema.properties) return objects(schema, depth);
    return ['x'];
  }
  /** With what is required alone, and with each other field besides. */
  function objects(schema: Schema, depth: number): Json[] {
    const least: { [key: string]: Json } = {};
    for (const field of schema.required ?? [])
      least[field] =
        (depth < DEEPEST ? samples(schema.properties![field]!, field, depth + 1)[0] : 'x') ?? 'x';
    if (depth >= DEEPEST) return [least];
    const more = Object.entries(schema.properties ?? {}).flatMap(([field, each]) =>
      samples(each, field, depth + 1)
        .slice(0, 3)
        .map((value) => ({ ...least, [field]: value })),
    );
    return [least, ...more];
  }

  function walk(given: Schema, path: Path): void {
    for (const [field, property] of Object.entries(resolve(given).properties ?? {})) {
      const place = [...path, field];
      const what = place.join('.');
      if (LEFT_ALONE.has(what)) continue;
      const here = at(pod, path) as { [key: string]: Json };
      const schema = resolve(property);
      const set = (value: Json) => (copy: Json) => {
        (at(copy, path) as { [key: string]: Json })[field] = value;
      };
      if (!(field in here)) {
        for (const value of samples(property, field, 0))
          add(`${what} := ${JSON.stringify(value)}`, set(value));
        continue;
      }
      add(`${what} removed`, (copy) => {
        delete (at(copy, path) as { [key: string]: Json })[field];
      });
      const current = here[field]!;
      if (Array.isArray(current)) walkList(schema.items!, place, current, field);
      else if (schema.additionalProperties) walkMap(place, current as { [key: string]: Json }, field);
      else if (typeof current === 'object') walk(property, place);
      else {
        const more = typeof current === 'number' ? [current + 1, 100_000, 0] : [];
        for (const value of [...samples(property, field, 0), ...more])
          add(`${what} = ${JSON.stringify(value)}`, set(value));
      }
    }
  }
  function walkMap(place: Path, current: { [key: string]: Json }, field: string): void {
    const isAmount = /^(limits|requests)$/.test(field);
    const put = (key: string, value: Json) => (copy: Json) => {
      (at(copy, place) as { [key: string]: Json })[key] = value;
    };
    add(`${place.join('.')} + extra`, put(isAmount ? 'ephemeral-storage' : 'extra', isAmount ? '1Gi' : 'x'));
    for (const key of Object.keys(current)) {
      add(`${place.join('.')}.${key} changed`, put(key, isAmount ? '64Mi' : 'other'));
      add(`${place.join('.')}.${key} removed`, (copy) => {
        delete (at(copy, place) as { [key: string]: Json })[key];
      });
    }
  }
  function walkList(items: Schema, place: Path, current: readonly Json[], field: string): void {
    const what = place.join('.');
    const list = (copy: Json) => at(copy, place) as Json[];
    current.forEach((each, index) => {
      if (typeof each === 'object') walk(items, [...place, index]);
      else add(`${what}.${index} changed`, (copy) => void list(copy).splice(index, 1, 'other'));
      add(`${what}.${index} removed`, (copy) => void list(copy).splice(index, 1));
      add(`${what}.${index} to the front`, (copy) => void list(copy).unshift(...list(copy).splice(index, 1)));
    });
    for (const value of samples(items, field.replace(/s$/, ''), 0)) {
      add(`${what} + ${JSON.stringify(value)}`, (copy) => void list(copy).push(value));
      add(`${what} 0+ ${JSON.stringify(value)}`, (copy) => void list(copy).unshift(value));
    }
  }
  walk(schemas[PODS]!, []);
  return found;
}

const at = (value: Json, path: Path): Json =>
  path.reduce<Json>((here, key) => (here as { [key: string]: Json })[key]!, value);
