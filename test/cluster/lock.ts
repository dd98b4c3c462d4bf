import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * An abstract socket as the lock: the kernel lets go of it when its holder dies, however it dies, so it is never stale.
 * It belongs to the machine, not to a folder, because the bridge and the cgroups do too.
 */
const LOCK = '\0kubectl-gkeprof-test-cluster';

/** Runs `work` while no other holder of the lock does, after waiting for the one that is at work. */
export async function withLock<T>(
  onWait: (holder: string) => void,
  work: () => Promise<T>,
  lock = LOCK,
): Promise<T> {
  const waiters = new Set<Socket>();
  const server = await acquire(lock, waiters, onWait);
  try {
    return await work();
  } finally {
    server.close();
    for (const waiter of waiters) waiter.destroy();
  }
}

async function acquire(
  lock: string,
  waiters: Set<Socket>,
  onWait: (holder: string) => void,
): Promise<Server> {
  for (;;) {
    // A waiter hears the holder's pid, and then nothing until its turn has come.
    const server = createServer((waiter) => {
      waiters.add(waiter.unref());
      waiter.on('error', () => waiter.destroy());
      waiter.write(String(process.pid));
    });
    try {
      server.listen(lock);
      await once(server, 'listening');
      return server.unref();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      await waitForHolder(lock, onWait);
    }
  }
}

async function waitForHolder(lock: string, onWait: (holder: string) => void): Promise<void> {
  const holder = connect(lock);
  holder.on('data', (pid) => onWait(pid.toString()));
  // A refused or reset connection means that the holder has just gone: its turn is over all the same.
  holder.on('error', () => undefined);
  await new Promise((resolve) => holder.on('close', resolve));
}
