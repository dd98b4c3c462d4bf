import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import type { Context } from '../cli/command.ts';
import { configPath } from '../cli/config/file.ts';
import type { Reached } from '../cluster/cluster.ts';
import { EXIT, GkeprofError, usageError } from '../errors.ts';
import { storedKey } from '../files/key-file.ts';
import { SESSION_LABEL } from '../session/pod-manifest.ts';
import { printable } from '../text/printable.ts';
import { formatDuration } from '../text/quantity.ts';

/**
 * The approval of one recording by a person, for programs that may not decide this themselves (`mcp`). A token is a code for
 * the debug pods that would be created, made with a key that only this user of this computer can read. `--approve` prints it on
 * a terminal, and `--approval` compares it with the pods just before they are created.
 */

/** How long a token is valid. */
const VALID_SECONDS = 15 * 60;
/** How the refusal of a token begins. */
export const NOT_APPROVED = 'nothing was recorded';
const FORM = /^([0-9a-z]{6,8})-[0-9a-f]{32}$/;

type Around = Pick<Context, 'env' | 'windows' | 'now'>;

/** What a debug pod would do, without its scripts: for a person, and for a model that asks a person. */
export function plannedPod({ metadata, spec }: V1Pod): Readonly<Record<string, unknown>> {
  const { annotations = {}, namespace } = metadata ?? {};
  const capture = spec?.containers.find(({ name }) => name === 'capture');
  return {
    what: annotations['gkeprof.dev/what'],
    target: annotations['gkeprof.dev/target'],
    targetNamespaces: annotations['gkeprof.dev/target-namespace'],
    node: spec?.nodeName,
    recordsFor: formatDuration(
      Number(/^duration_ms=(\d+)$/m.exec(capture?.args?.join('\n') ?? '')?.[1]) / 1000,
    ),
    endsWithin: annotations['gkeprof.dev/bound'],
    debugPodNamespace: namespace,
    image: capture?.image,
    privileged: capture?.securityContext?.privileged === true,
    ...(annotations['gkeprof.dev/reason'] !== undefined && { reason: annotations['gkeprof.dev/reason'] }),
  };
}

/** `--approve`: prints the plan and its token. Only on a terminal, because a person has to read the plan. */
export function printApproval(
  pods: readonly V1Pod[],
  reached: Reached,
  context: Around & Pick<Context, 'stdout' | 'log'>,
): void {
  if (!context.stdout.isTTY)
    throw usageError(
      '--approve needs a terminal, because a person has to read what would be recorded',
      'type the command in a terminal of your own',
    );
  const expires = Math.floor(context.now() / 1000) + VALID_SECONDS;
  const lines = pods.flatMap((pod) => [
    '',
    ...Object.entries(plannedPod(pod)).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [`  ${name}: ${printable(String(value))}`],
    ),
  ]);
  context.log.end();
  context.stdout.write(
    [
      `This would be recorded in the cluster ${reached.context || reached.server} (${reached.server}):`,
      ...lines,
      '',
      `Who gets this token may record exactly this once in the next ${VALID_SECONDS / 60} minutes:`,
      tokenOf(pods, reached, expires, context),
      '',
    ].join('\n'),
  );
}

/** `--approval`: throws unless the token is for exactly these pods in this cluster, and is still valid. */
export function requireApproval(
  token: string,
  pods: readonly V1Pod[],
  reached: Reached,
  context: Around,
): void {
  const expires = Number.parseInt(FORM.exec(token)?.[1] ?? '', 36);
  if (Number.isNaN(expires)) throw notApproved('this is not a token of --approve');
  const [given, own] = [token, tokenOf(pods, reached, expires, context)].map((each) => Buffer.from(each));
  if (!timingSafeEqual(given!, own!))
    throw notApproved('the token is for another recording, or the target has changed since');
  if (expires < context.now() / 1000) throw notApproved('the token has expired');
}

const notApproved = (why: string): GkeprofError =>
  new GkeprofError(
    EXIT.failed,
    `${NOT_APPROVED}: ${why}`,
    'a person gets a token by typing the same command with --approve in a terminal',
  );

function tokenOf(pods: readonly V1Pod[], { server }: Reached, expires: number, around: Around): string {
  const time = expires.toString(36);
  const code = createHmac('sha256', approvalKey(around)).update(`${time}\n${planHash(pods, server)}`);
  return `${time}-${code.digest('hex').slice(0, 32)}`;
}

/** The same for two plans of one recording: only what is drawn anew for each session is left out. */
export function planHash(pods: readonly V1Pod[], server: string): string {
  const texts = pods.map((pod) => JSON.stringify(withoutSession(pod)));
  return createHash('sha256')
    .update(JSON.stringify([server, ...texts.sort()]))
    .digest('hex');
}

/** The pod without its session: the id, which is also in the name, the nonces, and the user of `files`. */
function withoutSession(pod: V1Pod): V1Pod {
  const { metadata, spec, ...rest } = structuredClone(pod);
  const { name, labels } = metadata!;
  const { securityContext, containers, ...others } = spec!;
  return {
    ...rest,
    metadata: {
      ...metadata,
      name: name!.replace(labels![SESSION_LABEL]!, ''),
      labels: { ...labels, [SESSION_LABEL]: '' },
    },
    spec: {
      ...others,
      securityContext: { ...securityContext, fsGroup: 0 },
      containers: containers.map(({ args, securityContext: context, ...container }) => ({
        ...container,
        args: args?.map((word) => word.replace(/^nonce=[0-9a-f]+$/, 'nonce=')),
        securityContext: container.name === 'files' ? { ...context, runAsUser: 0, runAsGroup: 0 } : context,
      })),
    },
  } as V1Pod;
}

/** The key of this user, which is made when it is needed first. It is in the folder of the configuration file. */
function approvalKey({ env, windows }: Around): Uint8Array {
  const configuration = configPath({ ...env, GKEPROF_CONFIG: undefined }, windows);
  if (configuration === undefined)
    throw new GkeprofError(EXIT.failed, 'there is no folder for the key of approvals', 'set HOME');
  const folder = dirname(configuration);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return storedKey(join(folder, 'approval.key'));
}
