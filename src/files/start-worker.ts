import { Worker } from 'node:worker_threads';

/** Starts parallel-read-worker.ts. The bundle replaces this module by one that contains the text of the worker. */
export const startParallelRead = (data: unknown): Worker =>
  new Worker(new URL('./parallel-read-worker.ts', import.meta.url), { workerData: data });
