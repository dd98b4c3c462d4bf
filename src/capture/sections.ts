/** What an analysis can print, in the order it does. */
export const SECTIONS = [
  'summary',
  'ip',
  'ipv6',
  'tcp',
  'udp',
  'flags',
  'syns',
  'health',
  'redis',
  'timeline',
] as const;
export type Section = (typeof SECTIONS)[number];

/** Those that tshark and capinfos print, too; the first four of the runbook are what is printed as them. */
export const TSHARK_SECTIONS = ['summary', 'ip', 'ipv6', 'tcp', 'udp', 'flags', 'syns'] as const;
