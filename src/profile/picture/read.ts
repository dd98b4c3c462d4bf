import { EXIT, GkeprofError, reasonOf } from '../../errors.ts';
import type { Profile } from '../profile.ts';
import { unpacked } from './browser/numbers.js';
import { type ComparisonData, type ProfileData, profileOf } from './data.ts';

const OPENING = '<metadata id="gkeprof-data">';

/** The profile that a picture of this tool contains; undefined for any other SVG. Throws if the data is damaged. */
export function readPicture(svg: string): Profile | undefined {
  const from = svg.indexOf(OPENING);
  if (from < 0) return undefined;
  const to = svg.indexOf('</metadata>', from);
  try {
    const data = unpacked(
      JSON.parse(svg.slice(from + OPENING.length, to < 0 ? undefined : to)) as ProfileData | ComparisonData,
    );
    if (data.gkeprof !== 1) throw new Error(`its data is of version ${data.gkeprof}`);
    return profileOf(data);
  } catch (error) {
    if (error instanceof GkeprofError) throw error;
    throw new GkeprofError(
      EXIT.failed,
      `the profile in this SVG cannot be read: ${reasonOf(error)}`,
      'the file was changed or cut short: render it again from the recording',
    );
  }
}
