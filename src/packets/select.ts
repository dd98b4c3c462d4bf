import { usageError } from '../errors.ts';
import type { Addresses } from './decode/addresses.ts';
import type { Layers } from './decode/decode.ts';

/** One side of a conversation, as it is named on the command line. */
interface Side {
  readonly address: string;
  readonly port?: number;
}

export type Selection = (layers: Layers, addresses: Addresses) => boolean;

/**
 * `10.0.0.1-10.0.0.2`, `10.0.0.1:40000-10.0.0.2:6379`, `[::1]:40000-[::1]:6379` or a side alone → a function that selects
 * its packets in both directions. Fragments have no ports: those between the two addresses are selected.
 */
export function parseConversation(text: string): Selection {
  const parts = text.trim().split('-');
  if (parts.length > 2 || parts.some((part) => part === '')) throw notAConversation(text);
  const [one, other] = parts.map((part) => parseSide(part, text)) as [Side, Side | undefined];
  return (layers, addresses) => {
    if (layers.version === 0) return false;
    const six = layers.version === 6;
    const is = (side: Side | undefined, address: number, port: number) =>
      side === undefined ||
      (side.address === addresses.text(address, six) &&
        (side.port === undefined || layers.transport === 0
          ? layers.fragment || side.port === undefined
          : side.port === port));
    return (
      (is(one, layers.src, layers.sport) && is(other, layers.dst, layers.dport)) ||
      (is(one, layers.dst, layers.dport) && is(other, layers.src, layers.sport))
    );
  };
}

function parseSide(part: string, text: string): Side {
  const match =
    /^\[([0-9a-fA-F:.]+)\](?::(\d+))?$|^([0-9a-fA-F:]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$|^(\d+\.\d+\.\d+\.\d+)(?::(\d+))?$/.exec(
      part,
    );
  const address = match?.[1] ?? match?.[3] ?? match?.[4];
  const port = match?.[2] ?? match?.[5];
  if (address === undefined || Number(port) > 65535) throw notAConversation(text);
  return { address: address.toLowerCase(), ...(port !== undefined && { port: Number(port) }) };
}

const notAConversation = (text: string) =>
  usageError(
    `--conversation: "${text}" is not a conversation`,
    'name both ends: 10.0.0.1:40000-10.0.0.2:6379, or addresses without ports',
  );
