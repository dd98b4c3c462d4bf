import type { NodeEvent } from '../node/events.ts';
import type { Plan } from '../plan/plan.ts';

/** A line for people about a refusal of the node's script: reason and, where there is one, the next step. */
export interface Explanation {
  readonly reason: string;
  readonly hint?: string;
}

/** What a debug pod is for. */
export interface NodeWork {
  /** In a phrase, for the annotation and the first line. */
  describe(plan: Plan): string;
  /** The arguments of the node's script that are its own: KEY=VALUE words, and words that belong to its tool. */
  nodeArguments(plan: Plan): { keys: string[]; words: string[] };
}

/**
 * What captures. The session knows only this: how the plan becomes words for the node's script, what the
 * artifact is called, and how its events read. What is made of the artifact is the command's business.
 */
export interface Collector extends NodeWork {
  readonly name: 'perf' | 'tcpdump';
  /** The ending of the artifact's file, behind the common base name. */
  readonly ending: string;
  /** What the tool writes in scratch, worth keeping when the capture container died before it finished. */
  readonly raw?: { readonly file: string; readonly ending: string };
  /** Tools that a plain image lacks, and what fetching them costs, for the announcement. */
  readonly install: string;
  /** The scope in the file names. */
  scopeName(plan: Plan): string;
  /** The live line's figures, the most important first; `before` is the progress event before this one. */
  progress(event: NodeEvent, before: NodeEvent | undefined): string[];
  /** Refusals that only this collector knows. `log` is what its tool printed, already printable. */
  explain(code: string, plan: Plan, log: string): Explanation | undefined;
}
/** The last lines of a tool's log that say something, on one line: where tools put the reason. */
export function lastWords(log: string): string {
  const lines = log
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  return lines.slice(-3).join(' · ') || 'it said nothing';
}
