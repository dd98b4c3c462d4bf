import { asset } from './assets.ts';

/** The release, as package.json names it. */
export const toolVersion = (): string => (JSON.parse(asset('package.json')) as { version: string }).version;
