import type { Context } from '../cli/command.ts';
import type { AnalyzeChoice, AnalyzeOptions } from '../cli/packet-options.ts';
import { type NamedFileRule, openResult } from '../cli/result-options.ts';
import { EXIT, GkeprofError } from '../errors.ts';
import { localTimeZone } from '../files/local-time-zone.ts';
import { NewFile } from '../files/new-file.ts';
import { FileSpill } from '../files/spill.ts';
import { Turns } from '../interrupts.ts';
import { filled, isForPrograms, type OutputFormat } from '../output/format.ts';
import type { Json } from '../output/jsonpath.ts';
import { asOneObject, type LongResult, longJson, longYaml } from '../output/long-result.ts';
import { writeText } from '../output/stream.ts';
import { Analysis, type Scope } from '../packets/analysis.ts';
import { Packet, type PacketSink } from '../packets/file/packet.ts';
import { type AddressNames, allNames } from '../packets/print/facts.ts';
import { type InputFile, report } from '../packets/print/json.ts';
import { printTables } from '../packets/print/tables.ts';
import { timelinePage } from '../packets/print/timeline-page.ts';
import { printAsTshark } from '../packets/print/tshark.ts';
import type { Section } from '../packets/sections.ts';
import { CaptureSummary } from '../packets/summary.ts';
import { describeFiles } from '../report/files.ts';
import type { Analyzed } from '../report/packets.ts';
import { captureSubject, inputName } from './capture-subject.ts';
import { countedBy, readInto, selected, sortByFirstPacket } from './read-packets.ts';

/** What the user wants to know about packets. */
export type AnalysisRequest = AnalyzeChoice &
  Partial<Pick<AnalyzeOptions, 'asTshark' | 'selection' | 'write'>>;

/** Reads the files as one capture, ordered by time, and prints the result. */
export async function analyzeFiles(
  given: readonly string[],
  options: AnalysisRequest & { readonly format: OutputFormat; readonly open?: boolean },
  names: AddressNames,
  context: Context,
): Promise<number> {
  const { sections, format } = options;
  const page = await withAnalysis(given, options, names, context, async (analyzed) => {
    const { files } = analyzed;
    if (format.kind === 'markdown') {
      const { analysisMarkdown } = await import('../report/packets.ts');
      const read = files
        .filter(({ name }) => name !== 'stdin')
        .map(({ name }) => ({ role: 'packets', path: name }));
      context.stdout.write(analysisMarkdown(analyzed, await describeFiles(read)));
    } else if (format.kind === 'jsonpath') {
      context.stdout.write(filled(format.print, (await analysisData(analyzed, sections, context)) as Json));
    } else await writeText(context.stdout, await pieces(analyzed, options, context), context.interrupts.next);
    return analyzed.page;
  });
  if (options.open) await openResult(page, context);
  return EXIT.done;
}

/** The result in its format, in pieces that are made while they are written. */
async function pieces(
  analyzed: Analyzed,
  { format, sections, asTshark, all, sort }: AnalysisRequest & { readonly format: OutputFormat },
  { env }: Context,
): Promise<Iterable<string>> {
  const { analysis, files, names } = analyzed;
  if (format.kind === 'name') return files.map(({ name }) => `${name}\n`);
  if (format.kind === 'yaml') return longYaml(reportOf(analyzed, sections));
  if (format.kind === 'json')
    return (function* () {
      yield* longJson(reportOf(analyzed, sections));
      yield '\n';
    })();
  return asTshark
    ? printAsTshark(analysis, files, sections, localTimeZone(env))
    : printTables(analysis, {
        sections,
        names,
        sort,
        wide: format.kind === 'wide',
        rows: all ? Number.POSITIVE_INFINITY : 20,
      });
}

const reportOf = ({ analysis, files, names, sort }: Analyzed, sections: ReadonlySet<Section>): LongResult =>
  report(
    analysis,
    files.map(({ summary: _, ...facts }) => facts),
    sections,
    names,
    sort,
  );

/** A string of so many characters is always possible; the limit of V8 is 2^29. */
const MOST_CHARACTERS = 2 ** 28;

/** The report as one object. A report that is too long is refused here; JSON and YAML are streamed instead. */
export const analysisData = (
  analyzed: Analyzed,
  sections: ReadonlySet<Section>,
  { interrupts }: Context,
): Promise<object> =>
  asOneObject(
    reportOf(analyzed, sections),
    (characters) => {
      if (characters > MOST_CHARACTERS)
        throw new GkeprofError(
          EXIT.failed,
          'the report is too long for this output format',
          'use -o json, or fewer parts with --show',
        );
    },
    new Turns(interrupts.next),
  );

/** Reads the files as one capture, ordered by time, and passes the analysis to `use`. */
export async function withAnalysis<T>(
  given: readonly string[],
  options: AnalysisRequest & { readonly format: OutputFormat },
  names: AddressNames,
  context: Context,
  use: (analyzed: Analyzed) => Promise<T>,
): Promise<T> {
  const { sections, selection, format } = options;
  const timeline = sections.has('timeline') || options.html !== undefined;
  const own = !options.asTshark;
  const scope: Scope = {
    ...(selection && { selection }),
    deep: timeline || [...sections].some((section) => section !== 'summary'),
    inner: options.inner,
    once: own,
    health: own && (timeline || ['health', 'tcp', 'expert'].some((each) => sections.has(each as Section))),
    roundTrips: own && sections.has('tcp') && (format.kind === 'wide' || isForPrograms(format)),
    timeline,
    ...(own &&
      (timeline || sections.has('redis')) && {
        redis: { rules: options.rules, showKeys: options.showKeys, isRequested: options.asksRedis },
      }),
  };
  const spill = new FileSpill();
  const troubles = sections.has('expert') ? new FileSpill() : undefined;
  let page: string | undefined;
  let isWritten = false;
  const copy = options.write === undefined ? undefined : new NewFile(options.write, options.ifThere);
  try {
    const analysis = new Analysis(scope, spill, troubles);
    const sink: PacketSink = selection ? selected(analysis, copy) : analysis;
    const files = await sortByFirstPacket(given, context);
    const read: (InputFile & { summary: CaptureSummary })[] = [];
    const packet = new Packet();
    for (const path of files) {
      analysis.frames.begin(path === '-' ? 'stdin' : path, packet.number + packet.others);
      // If there are several files, each also gets a summary of its own.
      const summary = files.length > 1 ? new CaptureSummary() : analysis.summary;
      const counted = files.length > 1 ? countedBy(summary, sink) : sink;
      const facts = await readInto(path, counted, packet, context);
      if (files.length > 1) summary.end();
      read.push({ ...facts, summary });
    }
    copy?.close();
    isWritten = true;
    analysis.end();
    if (analysis.summary.packets === 0)
      context.log.warn(selection ? 'no packet belongs to this conversation' : 'no packets');
    if (options.html !== undefined)
      page = await writePage(options.html, options.ifThere, analysis, files, context);
    if (copy) context.log.line(`Packets: ${analysis.summary.packets}, ${copy.path}`);
    return await use({ analysis, files: read, names: allNames(analysis, names), sort: options.sort, page });
  } catch (error) {
    if (!isWritten) copy?.discard();
    throw error;
  } finally {
    spill.close();
    troubles?.close();
  }
}

async function writePage(
  path: string,
  ifThere: NamedFileRule,
  analysis: Analysis,
  files: readonly string[],
  { log }: Context,
): Promise<string> {
  const subject = await captureSubject(files);
  const names = files.map(inputName).join(', ');
  const page = new NewFile(path, ifThere);
  try {
    for (const piece of timelinePage(analysis, subject, subject === names ? undefined : names))
      page.write(Buffer.from(piece));
    page.close();
  } catch (error) {
    page.discard();
    throw error;
  }
  log.line(`Timeline: ${page.path}`);
  return page.path;
}
