import type { About, Profile } from '../../src/profile/profile.ts';
import type { ReadOptions } from '../../src/profile/read/read-profile.ts';
import { randomFrom } from '../random.ts';
import { read } from './reading.ts';

/** A server whose time goes into commands, by their weights, each with a function that it calls. */
export const COMMANDS: Readonly<Record<string, number>> = {
  getCommand: 40,
  setCommand: 30,
  expireCommand: 10,
  lrangeCommand: 12,
  writeToClient: 8,
};

export interface Recording {
  readonly commands?: Readonly<Record<string, number>>;
  /** Those that processCommand does not call. */
  readonly outside?: readonly string[];
  readonly samples?: number;
  readonly seconds?: number;
  /** How many samples it stays in a command, on average. */
  readonly stays?: number;
  readonly pid?: number;
  readonly event?: string;
  readonly frequencyHz?: number;
  readonly about?: Partial<About>;
}

/** The text of a recording in which the samples are spread over its duration. */
export function recordingText(
  seed: number,
  {
    commands = COMMANDS,
    outside = [],
    samples = 2000,
    seconds = 60,
    stays = 3,
    pid = 7,
    event = 'cpu-clock:ppp',
  }: Recording = {},
): string {
  const next = randomFrom(seed);
  const names = Object.keys(commands);
  const all = Object.values(commands).reduce((sum, weight) => sum + weight, 0);
  const pick = () => {
    let rest = next() * all;
    const found = names.find((name) => {
      rest -= commands[name]!;
      return rest < 0;
    });
    return found ?? names[0]!;
  };
  let text = '';
  let command = pick();
  for (let sample = 0; sample < samples; sample += 1) {
    if (next() < 1 / stays) command = pick();
    const time = (1000 + (seconds * (sample + next() / 2)) / samples).toFixed(6);
    const inner = next() < 0.5 ? `\t1 work_of_${command}+0x1 (/usr/bin/redis-server)\n` : '';
    const dispatcher = outside.includes(command) ? '' : '\t3 processCommand+0x3 (/usr/bin/redis-server)\n';
    text += `redis-server ${pid}/${pid} [000] ${time}: 10101010 ${event}:\n${inner}\t2 ${command}+0x2 (/usr/bin/redis-server)\n${dispatcher}\t4 main+0x4 (/usr/bin/redis-server)\n\n`;
  }
  return text;
}

export async function recordingOf(
  seed: number,
  recording: Recording = {},
  options: Partial<ReadOptions> = {},
): Promise<Profile> {
  const { profile } = await read(recordingText(seed, recording), options);
  const { seconds = 60, frequencyHz = 99 } = recording;
  return {
    ...profile,
    about: {
      target: `seed ${seed}`,
      seconds,
      frequencyHz,
      startedAt: '2026-11-30T02:00:00.000Z',
      ...recording.about,
    },
    lost: 0,
  };
}
