import { dump } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/cli/config/parse.ts';
import { COMMANDS } from '../../../src/commands/index.ts';
import { GkeprofError } from '../../../src/errors.ts';
import { fc } from '../../properties.ts';

const HEAD = 'apiVersion: gkeprof.dev/v1\nkind: Config\n';
const parse = (text: string) => parseConfig(text, 'c.yaml', COMMANDS);

describe('parseConfig', () => {
  it('reads values as they are written, with their lines', () => {
    const config = parse(`${HEAD}
# for all
defaults:
  image: a/b:1
  verbose: true
  image-pull-secret:
    - one
    - two
commands:
  flamegraph: {frequency: 0199, duration: "30s"}
  pcap:
    count: 1e3
`);
    expect(Object.fromEntries(config.defaults)).toEqual({
      image: { values: ['a/b:1'], line: 6 },
      verbose: { values: ['true'], line: 7 },
      'image-pull-secret': { values: ['one', 'two'], line: 8 },
    });
    expect(config.commands.get('flamegraph')).toEqual(
      new Map([
        ['frequency', { values: ['0199'], line: 12 }],
        ['duration', { values: ['30s'], line: 12 }],
      ]),
    );
    expect(config.commands.get('pcap')?.get('count')).toEqual({ values: ['1e3'], line: 14 });
  });

  it('takes one with nothing in it', () => {
    for (const text of [HEAD, `${HEAD}defaults:\ncommands:\n`, `${HEAD}defaults: {}\n`])
      expect(parse(text)).toMatchObject({ defaults: new Map(), commands: new Map() });
  });

  it.each<[string, string, RegExp, RegExp?]>([
    ['nothing', '', /^c\.yaml:1: is empty/],
    ['a comment alone', '# x\n', /^c\.yaml:1: is empty/],
    ['no YAML', `${HEAD}defaults: [\n`, /^c\.yaml:\d: is not YAML: /],
    ['no heading', 'defaults: {}\n', /^c\.yaml:1: not a configuration/, /apiVersion: gkeprof\.dev\/v1/],
    ['another version', 'apiVersion: gkeprof.dev/v2\nkind: Config\n', /^c\.yaml:1: not a configuration/],
    ['two documents', `${HEAD}---\n${HEAD}`, /^c\.yaml:1: contains more than one/],
    ['an unknown part', `${HEAD}default: {}\n`, /^c\.yaml:3: unknown key "default"$/, /mean defaults\?/],
    [
      'an unknown flag',
      `${HEAD}defaults:\n  imag: x\n`,
      /^c\.yaml:4: unknown key "imag" in defaults$/,
      /mean image/,
    ],
    [
      'one far from all',
      `${HEAD}commands:\n  pcap:\n    qqqqqq: x\n`,
      /:5: unknown key "qqqqqq" in pcap/,
      /^known: .*count/,
    ],
    [
      'a flag of another command',
      `${HEAD}commands:\n  pcap:\n    frequency: 9\n`,
      /:5: unknown key "frequency" in pcap/,
    ],
    [
      'an unknown command',
      `${HEAD}commands:\n  flamegrap: {}\n`,
      /:4: unknown command "flamegrap"/,
      /mean flamegraph\?/,
    ],
    ['a flag of kubectl', `${HEAD}defaults:\n  context: x\n`, /:4: "context" cannot be preset/, /kubeconfig/],
    [
      'a flag of one run',
      `${HEAD}commands:\n  flamegraph:\n    pid: 1\n`,
      /:5: "pid" cannot be preset/,
      /--pid/,
    ],
    ['two values for one', `${HEAD}defaults:\n  image: [a, b]\n`, /:4: "image" takes one value/],
    ['no value', `${HEAD}defaults:\n  image:\n`, /:4: "image" is empty/],
    [
      'a map for a value',
      `${HEAD}defaults:\n  image: {a: b}\n`,
      /:4: the value of "image" is neither text nor a list/,
    ],
    [
      'a list for a map',
      `${HEAD}defaults:\n  - image\n`,
      /^c\.yaml:4: defaults is not a list of "flag: value"/,
    ],
    ['a key twice', `${HEAD}defaults:\n  image: a\n  image: b\n`, /:5: "image" appears twice/],
    ['an alias', `${HEAD}defaults: &a\n  image: x\ncommands: *a\n`, /aliases are not supported/],
    ['what would forge a line', `${HEAD}defaults:\n  "a\\e[31m\\nb": x\n`, /unknown key "a\\x1b\[31m\\nb"/],
  ])('refuses %s', (_what, text, reason, hint) => {
    const error = (() => {
      try {
        return parse(text);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code: 2, message: expect.stringMatching(reason) });
    if (hint) expect(error).toMatchObject({ hint: expect.stringMatching(hint) });
  });

  it('reads back whatever text a value is', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (text) => {
        fc.pre(!/[\ud800-\udfff\u0000]/.test(text));
        const config = parse(
          dump({ apiVersion: 'gkeprof.dev/v1', kind: 'Config', defaults: { reason: text } }),
        );
        expect(config.defaults.get('reason')?.values).toEqual([text]);
      }),
    );
  });

  it('answers any text with a configuration or a usage error', () => {
    const piece = fc.constantFrom(
      HEAD,
      'defaults:',
      '\n',
      '  ',
      'image: x',
      '- ',
      '{',
      '}',
      '[',
      '&a ',
      '*a',
      ': ',
      '#',
      '"',
      '|',
      '---',
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        try {
          parse(pieces.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(GkeprofError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
