import { Worker } from 'node:worker_threads';

/** Starts parallel-read-worker.ts; `npm run build` replaces this module by one that carries the worker's text. */
export const startParallelRead = (data: unknown): Worker =>
  new Worker(new URL('./parallel-read-worker.ts', import.meta.url), { workerData: data });
