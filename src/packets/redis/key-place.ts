import type { CommandKind } from './commands.ts';
import { digits, type RequestParser, WORDS_KEPT, wordAt } from './request.ts';

/** Where the first key of this very command stands; 0: nowhere. */
export function keyPlace({ key, name }: CommandKind, request: RequestParser): number {
  if (key === 'match') return next(findWord(request, 'MATCH'));
  if (key === 'streams') return next(findWord(request, 'STREAMS'));
  // EVAL and the like say before how many keys there are; none is possible, and what is no number is a mistake.
  if (
    key === 3 &&
    name !== 'MIGRATE' &&
    digits(request.bytes, wordAt(2), wordAt(2) + request.lengths[2]!) < 1
  )
    return 0;
  if (name === 'MIGRATE' && request.words > 3 && request.lengths[3] === 0) return next(migratedKeys(request));
  return key;
}

/** Where `KEYS` stands in `MIGRATE host port "" db timeout [COPY] [REPLACE] [AUTH password] [AUTH2 user password] KEYS key…`. */
function migratedKeys(request: RequestParser): number {
  for (let index = 6; index < Math.min(request.words, WORDS_KEPT); ) {
    const word = text(request, index);
    if (word === 'KEYS') return index;
    // A user or password may be called anything.
    index += word === 'AUTH' ? 2 : word === 'AUTH2' ? 3 : 1;
  }
  return 0;
}

const next = (place: number): number => (place > 0 ? place + 1 : 0);

/** Where a word stands among those kept; 0: nowhere. */
export function findWord(request: RequestParser, word: string): number {
  for (let index = 1; index < Math.min(request.words, WORDS_KEPT); index += 1)
    if (request.lengths[index] === word.length && text(request, index) === word) return index;
  return 0;
}

/** In capitals. */
export const text = (request: RequestParser, index: number): string =>
  Buffer.from(request.bytes.buffer, wordAt(index), request.lengths[index]!).toString('latin1').toUpperCase();
