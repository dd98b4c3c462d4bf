import { describe, expect, it } from 'vitest';
import { runShell } from './shell.ts';

const SCRIPT =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
  'refuse() { printf "refused %s\\n" "$1"; exit; }; read_arguments "$@"; printf "%s\\n" "$((1 + ${arg[duration_ms]:-0}))" "${tool_args[*]-}"';

const read = (...argv: string[]) => runShell(['node/protocol.sh'], SCRIPT, argv).trim();

describe('read_arguments', () => {
  it('takes words apart, and leaves the tool’s alone', () => {
    expect(read('duration_ms=5', '--', 'count=x', '--')).toBe('6\ncount=x --');
  });
  // bash's arithmetic runs what stands in an index: whoever may create debug pods would run it as root.
  it.each(['a[$(touch /tmp/gkeprof-pwned)]', '-1', '', '1 ', '08', '1+1'])(
    'refuses duration_ms=%j',
    (value) => {
      expect(read(`duration_ms=${value}`)).toBe('refused bad-argument');
    },
  );
  it.each(['globals', 'pod_word', 'linger_ms', 'max_bytes', 'min_free_percent', 'filter_words'])(
    'refuses %s that is no number',
    (key) => expect(read(`${key}=x`)).toBe('refused bad-argument'),
  );
});

describe('tcpdump_words_fit', () => {
  const fits = (...words: string[]) =>
    runShell(
      ['node/tcpdump.sh'],
      'tool_args=("$@"); if tcpdump_words_fit; then echo yes; else echo no; fi',
      words,
    ).trim();
  it.each([
    [['--'], 'yes'],
    [['-s', '96', '-p', '-c', '10', '--', 'port', '6379'], 'yes'],
    [['-y', '-z', '--'], 'yes'],
    [['-z', 'reboot', '--'], 'no'],
    [['-Uz', 'reboot', '--'], 'no'],
    [['-w', '/x', '--'], 'no'],
    [['port', '6379'], 'no'],
  ])('%j: %s', (words, answer) => expect(fits(...words)).toBe(answer));
});
