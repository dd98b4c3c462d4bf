import { OWNER_ESCAPES } from '../plan/owner.ts';

/** A condition of a policy, and what is said where it does not hold. */
export interface Rule {
  readonly expression: string;
  readonly message: string;
}

/**
 * A value as a literal of CEL (cel.dev, langdef). Members of lists and maps are `dyn`, because Kubernetes' CEL refuses
 * literals whose members are of different types (k8s.io/apiserver pkg/cel/environment: HomogeneousAggregateLiterals).
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

/** In single quotes, with the escapes that CEL knows. */
const celString = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`;

/** A text of many lines as it stands: a raw string in triple quotes. */
export function celText(text: string): string {
  const quotes = ["'''", '"""'].find((each) => !text.includes(each) && !text.endsWith(each[0]!));
  if (!quotes) throw new Error('a text with both kinds of triple quotes');
  return `r${quotes}${text}${quotes}`;
}

/** A list of strings, which are all of one type. */
export const celStrings = (texts: readonly string[]): string => `[${texts.map(celString).join(', ')}]`;

/** Conditions that have to hold together, and those of which one is enough. */
export const all = (expressions: readonly string[]): string =>
  expressions.map((each) => `(${each})`).join('\n&& ');
export const any = (expressions: readonly string[]): string =>
  expressions.map((each) => `(${each})`).join('\n|| ');

/** The user's name as the name of a pod ends in it (src/plan/owner.ts). */
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
