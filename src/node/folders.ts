import type { Plan } from '../plan/plan.ts';

/** Folders of the pod's scratch volume; the shell has the same names (node/protocol.sh). Here are the files for the client. */
export const OUT = '/gkeprof/out';

/** Here the client puts its requests. */
export const CTL = '/gkeprof/ctl';

/** The folder with the files of the recorder that the plan is for. */
export const outOf = ({ recorder }: Plan): string => (recorder === undefined ? OUT : `${OUT}/${recorder}`);
