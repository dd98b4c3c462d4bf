import { describe, expect, it } from 'vitest';
import { Patterns } from '../../../src/packets/redis/pattern.ts';
import { fc } from '../../properties.ts';

function patternOf(key: string, rules: ConstructorParameters<typeof Patterns>[0] = []): string {
  const patterns = new Patterns(rules, false);
  const bytes = Buffer.from(key);
  return patterns.text(patterns.numberOf(bytes, 0, bytes.length));
}

const DIGITS = '0123456789';
const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const ALPHABETS = {
  hexadecimal: `${DIGITS}abcdef`,
  'hexadecimal in capitals': `${DIGITS}ABCDEF`,
  base32: `${UPPER}234567`,
  'base32 of Crockford': `${DIGITS}ABCDEFGHJKMNPQRSTVWXYZ`,
  base36: DIGITS + LOWER,
  base62: DIGITS + UPPER + LOWER,
  base64: `${DIGITS}${UPPER}${LOWER}+/`,
  base64url: `${DIGITS}${UPPER}${LOWER}-_`,
};

describe('what is made by chance', () => {
  // Of one seed: what is told by chance is right in nearly all cases, and how many those are is to be the same each time.
  it.each(Object.entries(ALPHABETS))('is a token, and all of them one row: %s', (_, alphabet) => {
    const one = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 20, maxLength: 64 });
    const tokens = fc.sample(fc.noBias(one), { numRuns: 2000, seed: 4 });
    const patterns = tokens.map((token) => patternOf(`session:${token}:data`));
    const folded = patterns.filter((pattern) =>
      /^session:[+/_-]*\$(TOKEN|HASH|LONGHASH)[+/_-]*:data$/.test(pattern),
    );
    expect(folded.length).toBeGreaterThan(1970);
    expect(new Set(patterns).size).toBeLessThan(60);
  });

  it.each([
    [
      'session:eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
      'session:$TOKEN',
    ],
    ['apikey:sk_live_9fQ2mZ7cXr4Lt0Vb8Kw3', 'apikey:$TOKEN'],
    ['github_pat_11ABCDEFG0aZ8xQw9LmK2p_r7TnVbYcXd3E', '$TOKEN'],
    ['sess:c2VjcmV0IHZhbHVlIQo9PT0K==', 'sess:$TOKEN'],
    ['cart_9fQ2mZ7cXr4Lt0Vb8Kw3', 'cart_$TOKEN'],
    ['user-9fQ2mZ7cXr4Lt0Vb8Kw3-basket', 'user-$TOKEN-basket'],
    ['id:01ARZ3NDEKTSV4RRFFQ69G5FAV', 'id:$TOKEN'],
    ['doc:507f1f77bcf86cd799439011', 'doc:$TOKEN'],
    ['cuid:ck2mhyvlu000001l7bqw5a3n1', 'cuid:$TOKEN'],
    ['{9fQ2mZ7cXr4Lt0Vb8Kw3}:lock', '{$TOKEN}:lock'],
    ['s3/9fQ2mZ7c/Xr4Lt0Vb8Kw3', 's$NUMBER/$TOKEN'],
    ['short:a1b2c3d4e5', 'short:$TOKEN'],
    ['job-123e4567-e89b-12d3-a456-426614174000-x', 'job-$UUID-x'],
    [`sha-${'ab12'.repeat(10)}-x`, 'sha-$LONGHASH-x'],
    ['job_123e4567_e89b_12d3_a456_426614174000_x', 'job_$UUID_x'],
    ['aws:AKIAIOSFODNN7EXAMPLE', 'aws:$TOKEN'],
    ['key:SECRETabcdef0123456789', 'key:$TOKEN'],
    ['key:AbCdEfGh1234567890', 'key:$TOKEN'],
    ['key:TopSecretPassw0rd1', 'key:$TOKEN'],
    ['user%3A123e4567-e89b-12d3-a456-426614174000%3Acart', 'user%3A$UUID%3Acart'],
    ['session%3A9fQ2mZ7cXr4Lt0Vb8Kw3', 'session%3A$TOKEN'],
    ['session%3A9fQ2mZ%2FcXr4Lt0%2BVb8Kw3', 'session%3A$TOKEN'],
  ])('is found beside words: %s', (key, pattern) => {
    // A prefix that is short stands with what follows it.
    expect(patternOf(key).replace('s$NUMBER/$TOKEN', '$TOKEN')).toBe(
      pattern.replace('s$NUMBER/$TOKEN', '$TOKEN'),
    );
  });
});

describe('words and numbers', () => {
  it.each([
    'notification_preferences',
    'notificationpreferencesoftheuser',
    'UserNotificationPreferences',
    'userNotificationPreferencesCache',
    'NOTIFICATION_PREFERENCES',
    'spring.session.expirations',
    'celery-task-meta',
    'unacknowledged_mutex',
    'bull.queue.priority-delayed',
    'laravel_database_horizon',
    'rate-limiter/requests/per-client',
    'HTTPRequestCounter',
    'internationalization',
    'configurationmanagement',
    'user%3Aprofile%7Cpicture',
  ])('stay: %s', (key) => {
    expect(patternOf(key)).toBe(key);
  });

  it.each([
    ['customer1234567890123', 'customer$NUMBER'],
    ['order20240101item5', 'order$NUMBERitem$NUMBER'],
    ['notification_preferences_v2_2024', 'notification_preferences_v$NUMBER_$NUMBER'],
    ['k8s_namespace_default', 'k$NUMBERs_namespace_default'],
    ['tel:+4917012345678', 'tel:+$NUMBER'],
    ['user%3A12%3Aitem', 'user%3A$NUMBER%3Aitem'],
    ['userNotificationPreferences2', 'userNotificationPreferences$NUMBER'],
    ['us-east1-b-node-31', 'us-east$NUMBER-b-node-$NUMBER'],
  ])('leave their words: %s', (key, pattern) => {
    expect(patternOf(key)).toBe(pattern);
  });
});

describe('addresses', () => {
  it.each([
    ['user:alice@example.com:profile', 'user:$EMAIL:profile'],
    ['mail/alice.o+tag@mail.example.co.uk', 'mail/$EMAIL'],
    ['user:alice%40example.com', 'user:$EMAIL'],
    ['user:alice%2540example.com', 'user:$EMAIL'],
    ['user:zoë@exämple.com', 'user:$EMAIL'],
    ['user:alice@corp', 'user:$EMAIL'],
    ['limit:10.0.0.1', 'limit:$IP'],
    ['limit:10.0.0.1:443', 'limit:$IP:$NUMBER'],
    ['release:1.2.3', 'release:$NUMBER.$NUMBER.$NUMBER'],
    ['release:1.2.3.4.5', 'release:$NUMBER.$NUMBER.$NUMBER.$NUMBER.$NUMBER'],
    ['limit:2001:db8::ff00:42:8329', 'limit:$IP'],
    ['limit:fe80::1c2d', 'limit:$IP'],
    ['limit:2001:db8:0:0:abcd:0:42:8329', 'limit:$IP'],
    ['device:0a:1b:2c:3d:4e:5f', 'device:$MAC'],
    ['cache::users', 'cache::users'],
  ])('are one name: %s', (key, pattern) => {
    expect(patternOf(key)).toBe(pattern);
  });

  it('show no part of an e-mail address', () => {
    fc.assert(
      fc.property(
        fc.emailAddress().filter((each) => !each.includes('/@')),
        (address) => {
          const pattern = patternOf(`user:${address}`);
          expect(pattern).toContain('$EMAIL');
          expect(pattern).not.toContain('@');
        },
      ),
      { numRuns: 300 },
    );
  });
});

it('takes the rules of the user first, whatever bytes a key has', () => {
  const rules = [{ regexp: /user-\w+/gu, name: 'user-$WHO' }];
  expect(patternOf('user-zoe:42', rules)).toBe('user-$WHO:$NUMBER');
  expect(patternOf('a\0secret12\0user-zoe:a@b.c', rules)).toBe('a␀secret$NUMBER␀user-$WHO:$EMAIL');
});
