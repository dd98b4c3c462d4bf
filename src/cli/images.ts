import { usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';

/**
 * The published diagnostic image, by its digest, as `REGISTRY/NAME@sha256:…`. Until there is one, the tools are installed
 * into a plain Debian each time. docs/releasing.md says when this line changes: help, plans and policies follow it.
 */
const PUBLISHED_IMAGE: string | undefined = undefined;

const PLAIN_IMAGE = 'debian:trixie-slim';

/** The image of a debug pod, and whether the tools have to be installed into it at the start. */
export interface ChosenImage {
  readonly image: string;
  readonly install: boolean;
}

/** What runs if `--image` is not given. */
export function defaultImage(published = PUBLISHED_IMAGE): ChosenImage {
  return { image: published ?? PLAIN_IMAGE, install: published === undefined };
}

export const DEFAULT_IMAGE_TEXT: string =
  PUBLISHED_IMAGE ?? 'a plain Debian, which installs the tools at start';

/** The image that `--image` names, or the default. Throws a usage error for what cannot be an image. */
export function chosenImage(given: string | undefined): ChosenImage {
  if (given === undefined) return defaultImage();
  if (!isImageName(given))
    throw usageError(
      `--image: "${printable(given)}" is not the name of an image`,
      'for example registry.example/gkeprof-tools:1',
    );
  return { image: given, install: false };
}

export const isImageName = (text: string): boolean => /^[\w][\w.\-/:@]*$/.test(text);
