import { describe, expect, it } from 'vitest';
import { parseTcpdumpWords } from '../../src/cli/tcpdump-args.ts';

describe('parseTcpdumpWords', () => {
  it.each<[string[], object]>([
    [[], { options: [], filter: [] }],
    [['port', '6379'], { options: [], filter: ['port', '6379'] }],
    [['dst port 6379'], { options: [], filter: ['dst port 6379'] }],
    [['-s', '96', '-nK', 'port', '1'], { options: ['-s', '96', '-n', '-K'], filter: ['port', '1'] }],
    [['-s96', '-B4096'], { options: ['-s', '96', '-B', '4096'], filter: [] }],
    [['-ns96'], { options: ['-n', '-s', '96'], filter: [] }],
    [['-i', 'eth0', 'tcp'], { options: [], filter: ['tcp'], interface: 'eth0' }],
    [['-ieth0'], { options: [], filter: [], interface: 'eth0' }],
    [['-Q', 'in', '-p', '-v'], { options: ['-Q', 'in', '-p', '-v'], filter: [] }],
    [['-y', 'LINUX_SLL'], { options: ['-y', 'LINUX_SLL'], filter: [], linkType: 'LINUX_SLL' }],
    [['$(touch /tmp/x)'], { options: [], filter: ['$(touch /tmp/x)'] }],
  ])('%j', (words, want) => expect(parseTcpdumpWords(words)).toEqual(want));

  it.each([...'zZwrFVCGW'])('refuses -%s by name, attached or not', (letter) => {
    for (const words of [[`-${letter}`, 'x'], [`-${letter}x`], [`-n${letter}`, 'x']]) {
      expect(() => parseTcpdumpWords(words)).toThrow(
        expect.objectContaining({ code: 2, message: expect.stringContaining(`-${letter} is refused: `) }),
      );
    }
  });

  it('offers --count for -c, with the number', () => {
    for (const words of [['-c', '10000'], ['-c10000'], ['-nc', '10000']]) {
      expect(() => parseTcpdumpWords(words)).toThrow(
        expect.objectContaining({ hint: 'did you mean --count 10000?' }),
      );
    }
  });

  it.each([
    [['--count'], /--count is not allowed/],
    [['-X'], /-X is not allowed/],
    [['-s'], /-s needs a value/],
    [['-s', 'x'], /-s: "x" is not a valid value/],
    [['-Q', 'up'], /-Q: "up" is not a valid value/],
    [['-i', '-w'], /is not the name of an interface/],
    [['-i', 'a b'], /is not the name of an interface/],
    // getopt permutes: an option is one wherever it stands.
    [['port', '6379', '-w', '/tmp/x'], /"-w" looks like an option, but follows the filter/],
    [['-n', 'tcp', '--', '-z'], /"--" looks like an option/],
  ])('refuses %j', (words, reason) => {
    expect(() => parseTcpdumpWords(words)).toThrow(
      expect.objectContaining({ code: 2, message: expect.stringMatching(reason) }),
    );
  });
});
