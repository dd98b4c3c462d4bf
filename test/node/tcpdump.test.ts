import { describe, expect, it } from 'vitest';
import { runShell } from './shell.ts';

describe('tcpdump on the node', () => {
  // SIGUSR2 made tcpdump flush in the middle of a write: 300,000 packets on loopback, a signal a millisecond, and
  // every second file was damaged behind its first packets. The end-to-end suite saw it once in a hundred captures.
  it('is never asked to flush by a signal, and needs none', () => {
    const sent = runShell(
      ['node/tcpdump.sh'],
      'OUT=$(mktemp -d); : >"$OUT/tcpdump.log"; tool_pid=1; kill() { printf "%s\\n" "$1"; }; tcpdump_bytes; tcpdump_counts; rm -r "$OUT"',
    );
    expect(sent).toBe('-USR1\n');
    const started = runShell(
      ['node/tcpdump.sh'],
      `OUT=$(mktemp -d); declare -A arg; tool_args=(-c 5); tcpdump_interface=any; tcpdump_enter=()
       tcpdump() { printf '%s\\n' "$*" >"$OUT/words"; printf 'listening on' >&2; }
       pause() { sleep "$1"; }; tool_is_running() { :; }
       tcpdump_start; wait; cat "$OUT/words"; rm -r "$OUT"`,
    );
    expect(started).toMatch(/ -U .*-w .*capture\.pcap -c 5\n$/);
  });
});
