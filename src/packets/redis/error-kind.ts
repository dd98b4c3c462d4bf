/** The kinds of errors in the sources of Redis, Valkey and Sentinel. */
const KNOWN = new Set(
  `ASK BUSY BUSYGROUP BUSYKEY CLUSTERDOWN CROSSSLOT DENIED ERR EXECABORT FORCEFAILOVER INPROG INVALIDOBJ IOERR LOADING MASTERDOWN
MISCONF MOVED NOADDR NOAUTH NOGOODPRIMARY NOGOODSLAVE NOGROUP NOMASTERLINK NOPERM NOPROTO NOQUORUM NOREPLICAS NOSCRIPT NOSUB
NOTBUSY NOTREADY OOM PRIMARYDOWN READONLY REDIRECT SCRIPTKILLED SYNTAX TIMEOUT TRYAGAIN UNBLOCKED UNKILLABLE VOLATILE WRONGPASS
WRONGTYPE`.split(/\s+/),
);

/** Whether Redis itself has errors of this kind. */
export const isKnownKind = (kind: string): boolean => KNOWN.has(kind);

/**
 * The kind of an error, its first word; undefined where that may be something else. A script can return any text, so a word
 * of another form is not taken for a kind, nor is one that mixes digits and letters as passwords and tokens do.
 */
export function errorKind(line: string): string | undefined {
  const kind = /^[A-Z][A-Z0-9_]{0,31}(?= |\r|\n|$)/.exec(line)?.[0];
  return kind === undefined || (kind.match(/\d/g)?.length ?? 0) > 2 ? undefined : kind;
}
