import { readFileSync } from 'node:fs';
import { loadAll } from 'js-yaml';
import { expect, it } from 'vitest';
import { RIGHTS, type RightGroup, rightText } from '../../src/doctor/rights.ts';

interface Role {
  readonly metadata: { readonly name: string };
  readonly rules: ReadonlyArray<{
    readonly apiGroups: string[];
    readonly resources: string[];
    readonly verbs: string[];
  }>;
}

const ROLES: Readonly<Record<string, RightGroup>> = {
  'gkeprof-targets': 'targets',
  'gkeprof-debug-pods': 'debug-pods',
  'gkeprof-shell': 'terminals',
};

it('asks for exactly the rights that the roles of `manifests` grant, no more and no less', () => {
  const roles = loadAll(
    readFileSync(new URL('../../manifests/rbac.yaml', import.meta.url), 'utf8'),
  ) as Role[];
  expect(roles.map(({ metadata }) => metadata.name).sort()).toEqual(Object.keys(ROLES).sort());
  for (const { metadata, rules } of roles) {
    const granted = rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}${group && `.${group}`}`)),
      ),
    );
    const asked = RIGHTS.filter(({ group }) => group === ROLES[metadata.name]).map(rightText);
    expect(new Set(asked)).toEqual(new Set(granted));
  }
});

it('asks nothing twice', () => {
  const questions = RIGHTS.map((right) => `${rightText(right)} ${right.in}`);
  expect(new Set(questions).size).toBe(questions.length);
});
