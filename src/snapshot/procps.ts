import type { Process } from './proc.ts';
import type { Snapshot } from './snapshot.ts';

// Columns of `ps u`, with the rounding and the words of procps-ng 4 (src/ps/output.c).

/** CPU time over the time since its start, in percent: `0.3`, `99.9`, `101`. */
export function cpuPercent({ userTicks, systemTicks, startTicks }: Process, snapshot: Snapshot): string {
  const lived = Math.floor(snapshot.uptimeSeconds * snapshot.ticksPerSecond - startTicks);
  return tenths(lived > 0 ? Math.floor(((userTicks + systemTicks) * 1000) / lived) : 0);
}

export function memoryPercent(proc: Process, snapshot: Snapshot): string {
  return tenths(Math.min(999, Math.floor((proc.rssKb * 1000) / snapshot.memoryKb)));
}

const tenths = (value: number): string =>
  value > 999 ? String(Math.floor(value / 10)) : `${Math.floor(value / 10)}.${value % 10}`;

export const vsizeKb = (proc: Process): number => Math.floor(proc.vsizeBytes / 1024);

/** State, then: high or low priority, pages locked in memory, session leader, threads, foreground. */
export function stateText(proc: Process): string {
  return [
    proc.state,
    proc.nice < 0 ? '<' : proc.nice > 0 ? 'N' : '',
    proc.lockedKb > 0 ? 'L' : '',
    proc.session === proc.pid ? 's' : '',
    proc.threads > 1 ? 'l' : '',
    proc.group === proc.foregroundGroup ? '+' : '',
  ].join('');
}

/** The controlling terminal by its device number (Linux Documentation/admin-guide/devices.txt). */
export function ttyText(device: number): string {
  if (device === 0) return '?';
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
  if (major === 5 && minor === 1) return 'console';
  return '?';
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** When it started, in milliseconds since the epoch. */
export const startedMs = (proc: Process, { bootSeconds, ticksPerSecond }: Snapshot): number =>
  (bootSeconds + Math.floor(proc.startTicks / ticksPerSecond)) * 1000;

/**
 * `14:05` where it was the same day, `Nov23` where it was another one, `2025` where it was another year, in the laptop's
 * time zone (ps(1), start_time).
 */
export function startText(proc: Process, snapshot: Snapshot): string {
  const started = new Date(startedMs(proc, snapshot));
  const now = new Date(snapshot.takenMs);
  const two = (value: number) => String(value).padStart(2, '0');
  if (started.getFullYear() !== now.getFullYear()) return String(started.getFullYear());
  return started.getMonth() === now.getMonth() && started.getDate() === now.getDate()
    ? `${two(started.getHours())}:${two(started.getMinutes())}`
    : `${MONTHS[started.getMonth()]}${two(started.getDate())}`;
}

/** CPU time as minutes and seconds: `12:04`. */
export function timeText(proc: Process, { ticksPerSecond }: Snapshot): string {
  const seconds = Math.floor((proc.userTicks + proc.systemTicks) / ticksPerSecond);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** The command line. A process without one, such as a kernel thread, is its name in brackets; a zombie is `<defunct>`. */
export function commandText(proc: Process): string {
  const bare = proc.argv.length === 0 || proc.argv.every((word) => word === '');
  const text = bare ? `[${proc.comm}]` : proc.argv.join(' ');
  return proc.state === 'Z' ? `[${proc.comm}] <defunct>` : text;
}
