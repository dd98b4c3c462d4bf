import {
  Label,
  Line,
  Location,
  Mapping,
  Profile as Pprof,
  Function as PprofFunction,
  Sample,
  StringTable,
  ValueType,
} from 'pprof-format';
import { printable } from '../../text/printable.ts';
import { pathOf } from '../paths.ts';
import type { Profile } from '../profile.ts';

/**
 * The profile in pprof's format (https://github.com/google/pprof/blob/main/proto/profile.proto), not compressed: samples
 * with their count and, if it differs, their weight; a mapping for each object; functions; and labels for thread, pid, tid,
 * pod, namespace, container and node. The name of a thread is a label and not a function.
 */
export function toPprof(profile: Profile, exporter: string): Uint8Array {
  const { about, frames, stacks, threads, tree, unit } = profile;
  const strings = new StringTable();
  // pprof prints names without escaping them.
  const text = (value: string) => strings.dedup(printable(value));
  const type = (name: string, of: string) => new ValueType({ type: text(name), unit: text(of) });
  const mappings = new Map<string, Mapping>();
  const mappingOf = (dso: string): number => {
    if (dso === '') return 0;
    let mapping = mappings.get(dso);
    if (!mapping) {
      mapping = new Mapping({ id: mappings.size + 1, filename: text(dso), hasFunctions: true });
      mappings.set(dso, mapping);
    }
    return Number(mapping.id);
  };
  // pprof takes the first mapping as that of the main program.
  for (const { kind, dso } of frames) if (kind === 'user' && !/\.so[.\d]*$|^\[/.test(dso)) mappingOf(dso);
  const functions: PprofFunction[] = [];
  const locations: Location[] = [];
  frames.forEach(({ name, dso }, at) => {
    const id = at + 1;
    // There is no system name: if it equals the name, pprof takes it for a linker symbol and cuts off C++ arguments, so
    // that f(int) and f(long) become one (google/pprof, internal/symbolizer, demangleSingleFunction).
    functions.push(new PprofFunction({ id, name: text(name), filename: text(dso) }));
    locations.push(new Location({ id, mappingId: mappingOf(dso), line: [new Line({ functionId: id })] }));
  });
  const place = [
    ['namespace', about.namespace],
    ['pod', about.pod],
    ['container', about.container],
    ['node', about.node],
  ].flatMap(([key, value]) => (value ? [new Label({ key: text(key!), str: text(value) })] : []));
  const labels = threads.map(({ comm, pid, tid, owner }) => [
    ...(owner ? [new Label({ key: text('owner'), str: text(owner.name) })] : []),
    ...(owner?.container === undefined
      ? []
      : [new Label({ key: text('owner_container'), str: text(owner.container) })]),
    new Label({ key: text('thread'), str: text(comm || `:${tid}`) }),
    ...(pid >= 0 ? [new Label({ key: text('pid'), num: pid })] : []),
    ...(tid >= 0 ? [new Label({ key: text('tid'), num: tid })] : []),
    ...place,
  ]);
  const samples: Sample[] = [];
  stacks.node.forEach((node, row) => {
    const path = pathOf(tree, node).filter((frame) => frames[frame]!.kind !== 'thread');
    const counts = [stacks.samples[row]!, ...(unit === 'samples' ? [] : [stacks.weight[row]!])];
    samples.push(
      new Sample({
        locationId: path.reverse().map((frame) => frame + 1),
        value: counts.map((count) => BigInt(Math.round(count))),
        label: labels[stacks.thread[row]!] ?? place,
      }),
    );
  });
  const period = about.frequencyHz
    ? { periodType: type('cpu', 'nanoseconds'), period: BigInt(Math.round(1e9 / about.frequencyHz)) }
    : {};
  const weightType =
    unit === 'nanoseconds'
      ? [type('cpu', 'nanoseconds')]
      : unit === 'microseconds'
        ? [type('off-cpu', 'microseconds')]
        : unit === 'events'
          ? [type(profile.event, 'count')]
          : [];
  return new Pprof({
    sampleType: [type('samples', 'count'), ...weightType],
    sample: samples,
    mapping: [...mappings.values()],
    location: locations,
    function: functions,
    ...(about.startedAt && { timeNanos: BigInt(Date.parse(about.startedAt)) * 1_000_000n }),
    ...(about.seconds && { durationNanos: BigInt(Math.round(about.seconds * 1e9)) }),
    ...period,
    comment: [text(`${exporter}: ${about.target}`)],
    stringTable: strings,
  }).encode();
}
