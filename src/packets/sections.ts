/** What an analysis can print, in the order it does. */
export const SECTIONS = [
  'summary',
  'ip',
  'ipv6',
  'tcp',
  'udp',
  'endpoints',
  'flags',
  'syns',
  'health',
  'expert',
  'redis',
  'timeline',
] as const;
export type Section = (typeof SECTIONS)[number];

/** The parts that are printed by default: long lists are left out. */
export const USUAL_SECTIONS = SECTIONS.filter(
  (section) => section !== 'endpoints' && section !== 'expert' && section !== 'timeline',
);

/** Those that tshark and capinfos print, too; the first four of the runbook are what is printed as them. */
export const TSHARK_SECTIONS = ['summary', 'ip', 'ipv6', 'tcp', 'udp', 'endpoints', 'flags', 'syns'] as const;
