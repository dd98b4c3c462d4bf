import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from 'js-yaml';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, '.github/workflows');
const names = readdirSync(folder).sort();
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly steps?: readonly Step[];
  readonly uses?: string;
  readonly 'timeout-minutes'?: number;
  readonly strategy?: { readonly matrix?: Readonly<Record<string, readonly unknown[]>> };
}
interface Workflow {
  readonly permissions?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

/** Programs besides npm that a step may run: they need what only GitHub's runners have. */
const PROGRAMS = /^(?:apt-get|cosign|docker|gh|kind|node dist\/kubectl-gkeprof|sudo apt-get) /;
/** Steps that are none of ours to run: they commit to another repository. */
const IN_OTHER_REPOSITORIES = /^(?:mkdir -p "\$FOLDER"|cp "\.\.\/archives|git )/;

/** What is wrong with the commands of a job, a line each. */
function wrongCommands(job: Job): string[] {
  const matrix = job.strategy?.matrix ?? {};
  const commands = (job.steps ?? [])
    .flatMap(({ run }) => run?.split(/\n|&&/) ?? [])
    .map((each) => each.trim());
  return commands.filter(Boolean).flatMap((command) => {
    const script = /^npm run (\S+)/.exec(command.replace(/"\$\{\{ matrix\.(\w+) \}\}"/, '$1'))?.[1];
    if (script) {
      const wanted = command.includes('matrix.') ? (matrix[script] as string[]) : [script];
      return wanted.filter((each) => !scripts[each]).map((each) => `no script ${each}`);
    }
    if (/^npm (?:ci|test|publish --provenance --access public)$/.test(command)) return [];
    return PROGRAMS.test(command) || IN_OTHER_REPOSITORIES.test(command) ? [] : [`unknown: ${command}`];
  });
}

/** Actions whose digest is not known here: docs/releasing.md names them. */
const BY_TAG = new Set(
  /pinned by their tags only: (.*?)\. /s
    .exec(readFileSync(join(root, 'docs/releasing.md'), 'utf8'))?.[1]
    ?.match(/[\w-]+\/[\w-]+/g),
);

describe.each(names)('%s', (name) => {
  const text = readFileSync(join(folder, name), 'utf8');
  const workflow = load(text) as Workflow;

  it('runs npm scripts that exist, and little else', () => {
    for (const [job, content] of Object.entries(workflow.jobs))
      expect(wrongCommands(content), job).toEqual([]);
  });

  it('pins each action by a digest with its version, or is named as one that does not', () => {
    for (const [, action, version, comment] of text.matchAll(/uses: ([^\s@]+)@(\S+)(?: # (\S+))?/g)) {
      if (BY_TAG.has(action!.split('/').slice(0, 2).join('/'))) expect(version).toMatch(/^v\d/);
      else
        expect([action, version, comment]).toEqual([
          action,
          expect.stringMatching(/^[0-9a-f]{40}$/),
          expect.stringMatching(/^v\d+\.\d+\.\d+$/),
        ]);
    }
  });

  it('may read only, unless a job asks for more, has limits of time, and keeps no credentials', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    for (const [job, { uses, steps, 'timeout-minutes': limit }] of Object.entries(workflow.jobs)) {
      if (!uses) expect(limit, job).toBeGreaterThan(0);
      for (const step of steps ?? [])
        if (step.uses?.startsWith('actions/checkout@') && !step.with?.token)
          expect(step.with?.['persist-credentials'], job).toBe(false);
    }
  });
});

describe('these tests', () => {
  it('see a script that is missing, and a command that is none of the known', () => {
    const job = (run: string, matrix = {}) => wrongCommands({ steps: [{ run }], strategy: { matrix } });
    expect(job('npm run nothing')).toEqual(['no script nothing']);
    const ofMatrix = 'npm ci\nnpm run "$'.concat('{{ matrix.x }}"');
    expect(job(ofMatrix, { x: ['unit', 'lost'] })).toEqual(['no script lost']);
    expect(job('make && npm test')).toEqual(['unknown: make']);
  });
});

it('dependabot looks into folders that exist, and into every Go module', () => {
  const { updates } = load(readFileSync(join(root, '.github/dependabot.yml'), 'utf8')) as {
    updates: ReadonlyArray<{ 'package-ecosystem': string; directory?: string; directories?: string[] }>;
  };
  const folders = updates.flatMap(({ directory, directories }) => directories ?? [directory!]);
  for (const each of folders) expect(existsSync(join(root, each)), each).toBe(true);
  const modules = globSync('{image,test}/**/go.mod', { cwd: root }).map((path) => `/${dirname(path)}`);
  const known = updates.find((each) => each['package-ecosystem'] === 'gomod')!.directories;
  expect(known).toEqual(modules.map((path) => path.replaceAll('\\', '/')).sort());
});

describe('the forms for issues', () => {
  const forms = join(root, '.github/ISSUE_TEMPLATE');
  const names = readdirSync(forms).filter((name) => name !== 'config.yml');
  interface Form {
    readonly name: string;
    readonly description: string;
    readonly body: ReadonlyArray<{
      readonly type: string;
      readonly id?: string;
      readonly attributes: {
        readonly label?: string;
        readonly value?: string;
        readonly description?: string;
      };
    }>;
  }
  const read = (name: string) => load(readFileSync(join(forms, name), 'utf8')) as Form;

  it.each(names)('%s has what GitHub asks of a form', (name) => {
    const { name: title, description, body } = read(name);
    expect([typeof title, typeof description]).toEqual(['string', 'string']);
    const asked = body.filter(({ type }) => type !== 'markdown');
    expect(new Set(asked.map(({ id }) => id)).size).toBe(asked.length);
    for (const { type, attributes } of body) {
      expect(['markdown', 'textarea']).toContain(type);
      expect(attributes[type === 'markdown' ? 'value' : 'label']).toBeTruthy();
    }
  });

  it('ask for the version, for what doctor says, and for the receipt', () => {
    const labels = read('problem.yml').body.map(({ attributes }) => attributes.label);
    expect(labels).toEqual(
      expect.arrayContaining([
        'kubectl gkeprof version -o json',
        'kubectl gkeprof doctor POD -o json',
        'The receipt',
      ]),
    );
  });
});
