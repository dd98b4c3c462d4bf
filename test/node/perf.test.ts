import { describe, expect, it } from 'vitest';
import { runShell } from './shell.ts';

/** A perf.data of so many bytes, whose data begins at 424, after `perf_bytes`: its length of the data, and what else changed. */
const mended = (bytes: number, length = 0) =>
  runShell(
    ['node/perf.sh'],
    `OUT=$(mktemp -d); cd "$OUT"
     le() { local at; for ((at = 0; at < 64; at += 8)); do printf '%b' "$(printf '\\\\x%02x' $(($1 >> at & 255)))"; done; }
     { head -c 40 /dev/urandom; le 424; le ${length}; head -c 20000000 /dev/urandom; } | head -c ${bytes} >perf.data
     cp perf.data before
     perf_bytes
     od -An -tu8 -j48 -N8 perf.data | tr -d ' '
     cmp -l before perf.data | awk '$1 <= 48 || $1 > 56' | wc -l
     stat -c %s perf.data
     rm -r "$OUT"`,
  )
    .trim()
    .split('\n')
    .map(Number);

describe('perf.data of a perf that was killed', () => {
  it.each([
    [1000, 576],
    [425, 1],
    [70_000, 69_576],
    [17_000_000, 16_999_576],
  ])('of %i bytes gets the length of its data, and nothing else changes', (bytes, length) => {
    expect(mended(bytes)).toEqual([length, 0, bytes]);
    expect(mended(bytes, 99)).toEqual([length, 0, bytes]);
  });

  it.each([0, 30, 48])('of %i bytes has no header, and stays as it is', (bytes) => {
    expect(mended(bytes).slice(-2)).toEqual([0, bytes]);
  });
});

describe('a perf that takes its time', () => {
  // On a node with no processor to spare the word came in two halves, with the end of a read between them: the first was lost, and
  // perf was taken for dead after half a minute.
  it('is heard when its answer comes in pieces', () => {
    const said = runShell(
      ['node/perf.sh'],
      `OUT=$(mktemp -d); WORK=$OUT; declare -A arg=([frequency]=99); perf_scope=(); now=0; tool_pid=
       now_ms() { now=$((now + 100)); }; tool_is_running() { ((now < 3000)); }
       refuse() { echo "refused $1"; exit; }
       perf_apart() { read -r line <&8; printf a >&9; sleep 0.2; printf 'ck\\n' >&9; sleep 0.5; }
       perf_start; echo started; rm -r "$OUT"`,
    );
    expect(said).toBe('started\n');
  });
});
