import { basename, join } from 'node:path';
import type { Context } from '../cli/command.ts';
import type { DrawOptions } from '../cli/profile-options.ts';
import { type IfThere, NewFile } from '../files/new-file.ts';
import { writeAll } from '../output/stream.ts';
import { caption } from '../profile/caption.ts';
import { FORMATS, type Format } from '../profile/export/formats.ts';
import type { Profile } from '../profile/profile.ts';
import type { Reading } from '../profile/read/read-profile.ts';
import type { ProfileSummary } from '../profile/summary.ts';
import { OFF_CPU } from '../profile/weighing.ts';
import type { MadeFile } from '../report/files.ts';
import { printable } from '../text/printable.ts';
import { counted } from '../text/quantity.ts';

/** Makes the files, and prints their names on stdout if the result is for people. */
export async function draw(
  reading: Reading,
  options: DrawOptions,
  base: string,
  summary: ProfileSummary,
  { stdout, log }: Pick<Context, 'stdout' | 'log'>,
): Promise<MadeFile[]> {
  for (const line of readingWarnings(reading)) log.warn(line);
  const { profile } = reading;
  return drawFormats(profile, caption(profile, summary), options, base, stdout);
}

/** What was left out or chosen when a profile was read, one line each. */
export function readingWarnings({ profile, warnings, events, timelineGivenUp }: Reading): string[] {
  const others = [...events].filter(([name]) => name !== profile.event);
  return [
    ...warnings.map(
      (warning) =>
        `${counted(warning.count, 'line was', 'lines were')} ignored (${warning.kind}); the first is: ${printable(warning.line)}`,
    ),
    ...(events.size > 1
      ? [
          `samples of different events are not mixed: this is ${profile.event}; ${others.map(([name, samples]) => `--event ${printable(name)} has ${counted(samples, 'sample')}`).join(', ')}`,
        ]
      : []),
    // The note of waits is about their lengths, not about other events.
    ...(profile.eventNote === undefined || profile.event === OFF_CPU
      ? []
      : [`${printable(profile.event)}: ${printable(profile.eventNote)}; --event chooses one of them`]),
    ...(timelineGivenUp ? ['the input has no usable times, so there is no heat map and no flame chart'] : []),
  ];
}

/** Makes the files of a profile, one for each format. */
export async function drawFormats(
  profile: Profile,
  titles: ReturnType<typeof caption>,
  options: DrawOptions,
  base: string,
  stdout: Context['stdout'],
): Promise<MadeFile[]> {
  const made: MadeFile[] = [];
  for (const name of options.formats) {
    const format: Format = FORMATS[name];
    const pieces = await format.pieces(profile, { ...titles, annotate: options.annotate });
    made.push(...(await makeFile(name, pieces, format, options, base, stdout)));
  }
  return made;
}

/**
 * Makes one file and prints its name if the result is for people. A format for reading goes to stdout instead, unless the user
 * named a file. Returns the file.
 */
export async function makeFile(
  role: string,
  pieces: Iterable<string | Uint8Array>,
  { ending, label, reading }: Pick<Format, 'ending' | 'label' | 'reading'>,
  { output, ifThere = 'refuse', format }: Pick<DrawOptions, 'output' | 'ifThere' | 'format'>,
  base: string,
  stdout: Context['stdout'],
): Promise<MadeFile[]> {
  const isText = format.kind === 'text';
  if (output === '-' || (output === undefined && reading)) {
    if (isText) await writeAll(stdout, pieces); // Else the result contains it.
    return [];
  }
  const path = writeNew(output ?? `${base}${ending}`, pieces, output === undefined ? 'number' : ifThere);
  if (isText) stdout.write(`${`${label}:`.padEnd(17)} ${path}\n`);
  return [{ role, path }];
}

/** Writes a file completely or not at all, and returns its path. */
function writeNew(path: string, pieces: Iterable<string | Uint8Array>, ifThere: IfThere): string {
  const file = new NewFile(path, ifThere);
  try {
    for (const piece of pieces) file.write(typeof piece === 'string' ? Buffer.from(piece) : piece);
    file.close();
  } catch (error) {
    file.discard();
    throw error;
  }
  return file.path;
}

const RAW_ENDING =
  /(?:(?:\.perf-script|\.waits)?\.txt|\.(?:flamegraph\.)?svg|(?:\.diff)?\.folded|\.(?:pb|pprof)|(?:\.speedscope)?\.json)?(?:\.gz|\.zst|\.xz)?$/;

/** The path of the files of an input without an ending: the name of the input in the folder for files. */
export const baseFor = (path: string, folder: string): string =>
  join(folder, path === '-' ? 'stdin' : basename(path).replace(RAW_ENDING, '') || 'profile');
