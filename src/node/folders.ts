/** Where the pod keeps things; the shell has the same names (node/protocol.sh). */
export const OUT = '/gkeprof/out';

export const CTL = '/gkeprof/ctl';
