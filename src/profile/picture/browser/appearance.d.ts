import type { Frame, FrameKind } from '../../frame.ts';
import type { Unit } from '../../profile.ts';

export const WIDTH: number;
export const ROW: number;
export const SIDE: number;
export const BOTTOM: number;
export const LABEL_LEFT: number;
export const LABEL_DOWN: number;
export const TITLE_DOWN: number;
export const FACTS_DOWN: number;
export const LINE: number;
export const LETTER: number;
export const FACT_LETTER: number;
export const LEGEND_ENTRY: number;
export const PATTERN_WIDTH: number;
export const ROOT_NAME: string;
export const KINDS: Readonly<
  Record<
    FrameKind,
    {
      readonly letter: string;
      readonly label: string;
      readonly hue: readonly [from: number, spread: number];
      readonly pattern: '' | 'hatch' | 'dots';
    }
  >
>;
type Named = Pick<Frame, 'name' | 'kind' | 'dso'>;
export function colourOf(frame: Named): string;
export function deltaColour(before: number, after: number): string;
export function changeMark(
  before: number,
  after: number,
  isSignificant: boolean,
): { readonly sign: string; readonly fill: string };
export function weightText(weight: number, unit: Unit): string;
export function shareText(part: number, all: number): string;
export function boxText(
  frame: Named,
  total: number,
  self: number,
  unit: Unit,
  all: number,
  zoomedTotal: number,
): string;
export function changeText(
  frame: Named,
  before: number,
  after: number,
  unit: Unit,
  beforeAll: number,
  afterAll: number,
): string;
export function thinText(count: number, weight: number, all: number, least: string): string;
export function lettersIn(width: number): number;
export function cut(name: string, width: number): string;
