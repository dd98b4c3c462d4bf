import { readdirSync, readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { join } from 'node:path';
import { checkServerIdentity, getCACertificates, type PeerCertificate } from 'node:tls';

type Environment = Readonly<Record<string, string | undefined>>;

/** The places where Go looks on Linux (crypto/x509/root_linux.go): it reads the first readable file, and all folders. */
const FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
const FOLDERS = ['/etc/ssl/certs', '/etc/pki/tls/certs'];

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The certificate authorities that the system trusts, found as Go finds them, because kubectl is written in Go. Node's own
 * function takes 100 ms on Linux, and prints warnings to the terminal.
 */
export function systemAuthorities(env: Environment): string[] {
  if (platform() === 'darwin' || platform() === 'win32') return getCACertificates('system');
  const found = new Set<string>();
  const read = (path: string): boolean => {
    try {
      for (const [certificate] of readFileSync(path, 'latin1').matchAll(PEM)) found.add(certificate);
      return true;
    } catch {
      return false;
    }
  };
  (env.SSL_CERT_FILE ? [env.SSL_CERT_FILE] : FILES).some(read);
  for (const folder of env.SSL_CERT_DIR ? env.SSL_CERT_DIR.split(':') : FOLDERS)
    for (const name of namesIn(folder)) read(join(folder, name));
  return [...found];
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Node accepts the common name of a certificate without other names; Go, and therefore kubectl, does not. */
export function checkIdentity(name: string, certificate: PeerCertificate): Error | undefined {
  if (!certificate.subjectaltname)
    return new Error('the certificate relies on legacy Common Name field, use SANs instead');
  return checkServerIdentity(name, certificate);
}
