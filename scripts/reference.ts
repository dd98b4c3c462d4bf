// The reference, made from the same source as the printed help: docs/commands/, the manual page, and the part of the cheat sheet
// that stands between markers. `npm run docs` writes them; test/docs/reference.test.ts checks that they are what it would write.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  type CommandHelp,
  describeProgram,
  flagSyntax,
  flagWords,
  type ProgramHelp,
} from '../src/cli/help.ts';
import { COMMANDS } from '../src/commands/index.ts';

const CHEAT_SHEET = 'docs/cheat-sheet.md';
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Each file of the reference by its path below the repository, with the text that it should have. */
export function reference(version: string): ReadonlyMap<string, string> {
  const program = describeProgram(COMMANDS);
  return new Map([
    ['docs/commands/README.md', overviewPage(program)],
    ...program.commands.map((command) => [`docs/commands/${command.name}.md`, commandPage(command)] as const),
    ['man/kubectl-gkeprof.1', manualPage(program, version)],
    [
      CHEAT_SHEET,
      filled(readFileSync(`${ROOT}${CHEAT_SHEET}`, 'utf8'), { 'exit codes': exitCodes(program) }),
    ],
  ]);
}

const NOTE = '<!-- Made by `npm run docs` from src/commands: change it there. -->';

function overviewPage(program: ProgramHelp): string {
  const rows = program.commands.map(({ name, describe }) => `| [${name}](${name}.md) | ${cell(describe)} |`);
  return page(
    NOTE,
    '# Commands',
    program.describe,
    `    ${program.usage}`,
    table('| command | does |', '| --- | --- |', ...rows),
    '## Exit codes',
    exitCodes(program),
  );
}

function commandPage(command: CommandHelp): string {
  return page(
    NOTE,
    `# ${command.name}`,
    `${command.describe}.`,
    `    ${command.usage}`,
    ...command.details.map((text) => (text.startsWith(' ') ? asCode(text) : text)),
    '## Examples',
    command.examples.map(({ line, what }) => `${what ? `    # ${what}\n` : ''}    ${line}`).join('\n\n'),
    ...(command.groups.length ? ['## Flags'] : []),
    ...command.groups.flatMap(({ title, flags }) => [
      `### ${title}`,
      table(
        '| flag | does | default | environment |',
        '| --- | --- | --- | --- |',
        ...flags.map(
          (flag) =>
            `| \`${cell(flagSyntax(flag))}\` | ${cell(flagWords({ ...flag, default: '' }))} | ${cell(flag.default ?? '')} | ${
              flag.env ? `\`${flag.env}\`` : ''
            } |`,
        ),
      ),
    ]),
    ...(command.units.length
      ? [command.units.map(([placeholder, meaning]) => `- \`${placeholder}\` is ${meaning}.`).join('\n')]
      : []),
  );
}

const exitCodes = (program: ProgramHelp): string =>
  table(
    '| code | meaning |',
    '| --- | --- |',
    ...program.exitCodes.map(([code, meaning]) => `| ${code} | ${cell(meaning)} |`),
  );

/** man(7), in the macros that every man and mandoc knows. */
function manualPage(program: ProgramHelp, version: string): string {
  const lines = [
    '.\\" Made by `npm run docs` from src/commands: change it there.',
    `.TH KUBECTL-GKEPROF 1 "" "kubectl-gkeprof ${version}" "kubectl plugins"`,
    '.SH NAME',
    'kubectl-gkeprof \\- CPU flame graphs and packet captures of a pod, from its node',
    '.SH SYNOPSIS',
    `.B kubectl gkeprof`,
    '.I COMMAND',
    '[flags]',
    '.SH DESCRIPTION',
    roff(program.describe),
    '.SH COMMANDS',
    ...program.commands.flatMap((command) => [
      `.SS ${roff(command.name)}`,
      roff(`${command.describe}.`),
      '.PP',
      `.B ${roff(command.usage)}`,
      ...command.details.flatMap((text) =>
        text.startsWith(' ') ? ['.PP', '.nf', ...text.split('\n').map(roff), '.fi'] : ['.PP', roff(text)],
      ),
      ...command.groups.flatMap(({ flags }) =>
        flags.flatMap((flag) => ['.TP', `.B ${roff(flagSyntax(flag))}`, roff(flagWords(flag))]),
      ),
      '.PP',
      'Examples:',
      '.PP',
      '.nf',
      ...command.examples.flatMap(({ line, what }) => [...(what ? [roff(`# ${what}`)] : []), roff(line)]),
      '.fi',
    ]),
    '.SH EXIT STATUS',
    ...program.exitCodes.flatMap(([code, meaning]) => ['.TP', `.B ${code}`, roff(meaning)]),
    '.SH SEE ALSO',
    '.BR kubectl (1),',
    '.BR perf (1),',
    '.BR tcpdump (8),',
    '.BR tshark (1)',
  ];
  return `${lines.join('\n')}\n`;
}

/** Text that roff takes for nothing else: groff_char(7), and no control line. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll(
      /[^\x00-\x7f]/gu,
      (sign) => `\\[u${sign.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`,
    )
    .replace(/^\./, '\\&.');

/** What stands between `<!-- NAME: made by npm run docs -->` and `<!-- end -->`, put anew. */
export function filled(text: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce((page, [name, part]) => {
    const begin = `<!-- ${name}: made by \`npm run docs\` -->`;
    const from = page.indexOf(begin);
    const to = page.indexOf('<!-- end -->', from);
    if (from < 0 || to < 0) throw new Error(`the marks of "${name}" are missing`);
    return `${page.slice(0, from + begin.length)}\n${part}\n${page.slice(to)}`;
  }, text);
}

const page = (...blocks: readonly string[]): string => `${blocks.join('\n\n')}\n`;

const table = (...rows: readonly string[]): string => rows.join('\n');

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

/** Such text stands two blanks in, as in the printed help. */
const asCode = (text: string): string => text.replaceAll(/^(?=.)/gm, '  ');
