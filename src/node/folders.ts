/** Folders of the pod's scratch volume; the shell has the same names (node/protocol.sh). Here are the files for the client. */
export const OUT = '/gkeprof/out';

/** Here the client puts its requests. */
export const CTL = '/gkeprof/ctl';
