import { dump, load } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { COLLECTORS } from '../../src/collectors/index.ts';
import { captureCommand, filesCommand } from '../../src/collectors/script.ts';
import { admissionPolicy, type Manifest } from '../../src/policy/admission-policy.ts';
import { celLiteral, celText } from '../../src/policy/cel.ts';
import type { PolicySettings } from '../../src/policy/pod-rules.ts';

const SETTINGS: PolicySettings = {
  namespace: 'gkeprof',
  images: ["registry.example/tools:1'"],
  pullSecrets: ['regcred'],
  priorityClasses: [],
  allowShell: false,
  targetRights: false,
};
interface Policy {
  readonly spec: {
    readonly validations: ReadonlyArray<{ readonly expression: string }>;
    readonly variables: ReadonlyArray<{ readonly name: string; readonly expression: string }>;
  };
}
const text = (objects: readonly Manifest[]) => JSON.stringify(objects);

describe('the admission policy', () => {
  it('holds the scripts of this release, byte for byte as they are sent, also when it was YAML', () => {
    const objects = admissionPolicy(SETTINGS).map((each) => load(dump(each, { lineWidth: -1 })) as Manifest);
    expect(objects).toEqual(admissionPolicy(SETTINGS));
    const { validations, variables } = (objects[0] as unknown as Policy).spec;
    const texts = new Map(
      variables.map(({ name, expression }) => [name, /^r'''(.*)'''$/s.exec(expression)?.[1]]),
    );
    // The commands as CEL would make them: the variables are joined, and raw strings are what is in them.
    const commands = validations
      .flatMap(({ expression }) => expression.split('variables.capture.?command.orValue([]) == ').slice(1))
      .map((expression) => {
        const sum = /^\['\/bin\/bash', '-c', ([\w. +]+), 'gkeprof-capture'/.exec(expression)![1]!;
        const script = sum.split(' + ').map((name) => texts.get(name.replace('variables.', '')));
        const program = /'gkeprof-capture', r'''(.*?)'''\]/s.exec(expression)?.[1];
        return ['/bin/bash', '-c', script.join(''), 'gkeprof-capture', ...(program ? [program] : [])];
      });
    expect(commands).toEqual(COLLECTORS.map(captureCommand));
    const files = filesCommand()[2]!;
    expect(validations.some(({ expression }) => expression.includes(`r'''${files}'''`))).toBe(true);
  });

  it('has no expression that is too long for the API server', () => {
    for (const object of admissionPolicy({ ...SETTINGS, allowShell: true, targetRights: true })) {
      const { validations = [], variables = [] } = (object as unknown as Policy).spec;
      for (const { expression } of [...validations, ...variables])
        expect([...expression].length).toBeLessThan(100_000);
    }
  });

  it('can be applied: kubectl keeps what it applied in an annotation, and annotations have 256 KiB at most', () => {
    for (const object of admissionPolicy({ ...SETTINGS, allowShell: true, targetRights: true }))
      expect(Buffer.byteLength(JSON.stringify(object))).toBeLessThan(250_000);
  });

  it('accepts a profile of a container only with the id of the container', () => {
    const { variables } = (admissionPolicy(SETTINGS)[0] as unknown as Policy).spec;
    const patterns = variables.filter(({ name }) => /^pattern\d+$/.test(name)).map((each) => each.expression);
    const ofContainers = patterns.filter((each) => each.includes('scope=(container)'));
    expect(
      ofContainers.map((each) => /container_id=\(\[0-9a-f\]\{64\}\)\\\\n([a-z]+)/.exec(each)?.[1]),
    ).toEqual(['frequency', 'rate']);
  });

  it('holds what an administrator decides as literals, and no parameters, which can be stale', () => {
    expect(text(admissionPolicy(SETTINGS))).not.toContain('param');
    expect(text(admissionPolicy(SETTINGS))).toContain("registry.example/tools:1\\\\''");
    const shell = text(admissionPolicy({ ...SETTINGS, allowShell: true }));
    expect(shell).toContain("request.subResource == 'attach'");
    expect(text(admissionPolicy(SETTINGS))).not.toContain("request.subResource == 'attach'");
    const targets = text(admissionPolicy({ ...SETTINGS, targetRights: true }));
    expect(targets).toContain("resource('nodes')");
    expect(text(admissionPolicy(SETTINGS))).not.toContain("resource('nodes')");
    // perf.data names every process of the node.
    expect(targets).toContain("!object.command.exists(word, word.endsWith('/perf.data'))");
  });
});

describe('literals of CEL', () => {
  it.each([
    ['a', "'a'"],
    ["it's \\ \n", "'it\\'s \\\\ \\n'"],
    [[1, 'a', true], "[dyn(1), dyn('a'), dyn(true)]"],
    [{ a: { b: [] } }, "{'a': dyn({'b': dyn([])})}"],
  ])('%j: %s', (value, want) => expect(celLiteral(value)).toBe(want));

  it('quotes a text by what it does not hold, and refuses one that holds both', () => {
    expect(celText("a'b\\n")).toBe("r'''a'b\\n'''");
    expect(celText("a'''b")).toBe('r"""a\'\'\'b"""');
    expect(() => celText(`'''"""`)).toThrow(/both/);
    expect(() => celLiteral(undefined)).toThrow(/no literal/);
  });
});
