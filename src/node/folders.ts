import type { Plan } from '../plan/plan.ts';

/**
 * The scratch folder, which both containers of a debug pod see: a volume on the node's disk, or in the memory that the containers
 * of a pod share. The shell has the same names (node/protocol.sh).
 */
export const SCRATCH = { disk: '/gkeprof', memory: '/dev/shm/gkeprof' } as const;

/** The folder with the files for the client, of the recorder that the plan is for. */
export const outOf = ({ recorder, debugPod: { scratch } }: Plan): string =>
  `${SCRATCH[scratch]}/out${recorder === undefined ? '' : `/${recorder}`}`;

/** The folder in which the client puts its requests. */
export const ctlOf = ({ debugPod: { scratch } }: Plan): string => `${SCRATCH[scratch]}/ctl`;
