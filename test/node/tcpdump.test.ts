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

  // The last second of every capture was missing where little happened: `received by filter` said so, the file did not have it.
  it.each(['lo', 'any'])('ends with what the kernel had received: real tcpdump on %s', (device) => {
    const packets = runShell(
      ['node/tcpdump.sh'],
      `OUT=$(mktemp -d); now_ms() { now=$(($(date +%s%N) / 1000000)); }; pause() { sleep "$1"; }
       tool_is_running() { kill -0 "$tool_pid" 2>/dev/null; }; refuse() { exit 1; }
       tool_ends() { kill -TERM "$tool_pid" 2>/dev/null; wait "$tool_pid"; }
       tool_args=(-- udp port 9); tcpdump_interface=$1; tcpdump_enter=()
       tcpdump_start
       sleep 0.3
       for each in 1 2 3 4 5; do printf x >/dev/udp/127.0.0.1/9; done
       end_reason=time
       tcpdump_stop
       tshark -n -r "$OUT/capture.pcap" -T fields -e udp.length 2>/dev/null | grep -c '^9$'
       rm -r "$OUT"`,
      [device],
    );
    expect(packets).toBe('5\n');
  });

  it('does not wait where the disk is full, or the pod was told to go', () => {
    for (const reason of ['space', 'terminated']) {
      const sent = runShell(
        ['node/tcpdump.sh'],
        'end_reason=$1; tool_pid=1; kill() { printf "%s\\n" "$1"; }; tool_ends() { :; }; tcpdump_stop',
        [reason],
      );
      expect(sent).toBe('-INT\n');
    }
  });

  it('keeps the packets as they are when they cannot be compressed', () => {
    const said = runShell(
      ['node/tcpdump.sh'],
      `OUT=$(mktemp -d); printf packets >"$OUT/capture.pcap"; : >"$OUT/tcpdump.log"
       refuse() { echo "refused $1"; exit; }; announce() { echo "$1 $2 $(<"$OUT/$2")"; }
       gzip() { printf half; return 1; }
       tcpdump_finish; ls "$OUT"; rm -r "$OUT"`,
    );
    expect(said).toBe('packets capture.pcap packets\ncapture.pcap\ntcpdump.log\n');
  });
});
