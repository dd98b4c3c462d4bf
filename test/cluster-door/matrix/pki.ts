import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';

/** Certificates in files of a folder: `NAME.crt` and `NAME.key`. */
export interface Pki {
  path(file: string): string;
  text(file: string): string;
  /** As a kubeconfig holds it. */
  data(file: string): string;
}

const ADDRESSES = 'IP:127.0.0.1,IP:0.0.0.0,DNS:localhost';

/** Each with the authority that signs it, and its other names. One has nothing but a common name. */
const CERTIFICATES: ReadonlyArray<readonly [name: string, authority?: string, names?: string]> = [
  ['ca-alpha'],
  ['ca-beta'],
  ['ca-gamma'],
  ['alpha', 'ca-alpha', `${ADDRESSES},DNS:alpha.test`],
  ['beta', 'ca-beta', `${ADDRESSES},DNS:beta.test`],
  ['gamma', 'ca-gamma'],
  ['proxy', 'ca-alpha', ADDRESSES],
  ['alice', 'ca-alpha'],
  ['bob', 'ca-alpha'],
];

export async function makePki(folder: string): Promise<Pki> {
  mkdirSync(folder);
  const path = (file: string) => join(folder, file);
  for (const [name, authority, names] of CERTIFICATES)
    await execa('openssl', [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-subj', name === 'gamma' ? '/CN=127.0.0.1' : `/CN=${name}`],
      ...['-keyout', path(`${name}.key`), '-out', path(`${name}.crt`)],
      ...(names ? ['-addext', `subjectAltName=${names}`] : []),
      ...(authority ? ['-CA', path(`${authority}.crt`), '-CAkey', path(`${authority}.key`)] : []),
      ...(authority ? ['-addext', 'basicConstraints=critical,CA:FALSE'] : []),
    ]);
  const text = (file: string) => readFileSync(path(file), 'utf8');
  return { path, text, data: (file) => Buffer.from(text(file)).toString('base64') };
}
