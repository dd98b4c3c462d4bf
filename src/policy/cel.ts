import { OWNER_ESCAPES } from '../plan/owner.ts';

/** A condition of a policy, and the message of the refusal where it is false. */
export interface Rule {
  readonly expression: string;
  readonly message: string;
}

/**
 * A value as a CEL literal (cel.dev, langdef). Members of lists and maps are wrapped in `dyn`, because Kubernetes rejects
 * literals with members of different types (k8s.io/apiserver pkg/cel/environment: HomogeneousAggregateLiterals).
 */
export function celLiteral(value: unknown): string {
  if (typeof value === 'string') return celString(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `[${value.map(member).join(', ')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).map(([key, each]) => `${celString(key)}: ${member(each)}`);
    return `{${entries.join(', ')}}`;
  }
  throw new Error(`${String(value)} has no literal in CEL`);
}

const member = (value: unknown): string => `dyn(${celLiteral(value)})`;

/** A string literal in single quotes, with the escape sequences of CEL. */
const celString = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`;

/** A text of many lines, unchanged, as a raw string in triple quotes. */
export function celText(text: string): string {
  const quotes = ["'''", '"""'].find((each) => !text.includes(each) && !text.endsWith(each[0]!));
  if (!quotes) throw new Error('a text with both kinds of triple quotes');
  return `r${quotes}${text}${quotes}`;
}

/** A list of strings. Its members need no `dyn`, because they have one type. */
export const celStrings = (texts: readonly string[]): string => `[${texts.map(celString).join(', ')}]`;

/** `all` joins conditions that must all be true, `any` those of which one is enough. */
export const all = (expressions: readonly string[]): string =>
  expressions.map((each) => `(${each})`).join('\n&& ');
export const any = (expressions: readonly string[]): string =>
  expressions.map((each) => `(${each})`).join('\n|| ');

/** The user's name in the form in which a debug pod's name ends with it (src/plan/owner.ts). */
export function ownerVariables() {
  return [
    { name: 'escapes', expression: celEscapes() },
    {
      name: 'owner',
      expression:
        "request.userInfo.username.split('').map(c, c in variables.escapes ? variables.escapes[c] : c).join('')",
    },
  ];
}

const celEscapes = (): string =>
  `{${Object.entries(OWNER_ESCAPES)
    .map(([character, written]) => `${celLiteral(character)}: ${celLiteral(written)}`)
    .join(', ')}}`;

/** `gkeprof-COLLECTOR-SESSION-OWNER`. */
export const isOwn = (name: string): string =>
  `${name}.matches('^gkeprof-[a-z]+-[0-9a-f]{10}-') && ${name}.split('-', 4)[3] == variables.owner`;
