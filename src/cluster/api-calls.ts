import type { AuthenticationV1Api, AuthorizationV1Api, CoreV1Api } from '@kubernetes/client-node';

/**
 * The API calls that the tool makes. The bundle keeps only these of the client's 1,500 calls (scripts/bundle/client.ts).
 * The types below have no others, so that code which makes a call that is missing here does not compile.
 */
export const API_CALLS = {
  core: [
    'readNamespacedPod',
    'listNamespacedPod',
    'listPodForAllNamespaces',
    'readNode',
    'listNode',
    'readNamespace',
    'createNamespacedPod',
    'deleteNamespacedPod',
    'listNamespacedEvent',
  ],
  authentication: ['createSelfSubjectReview'],
  authorization: ['createSelfSubjectAccessReview'],
} as const;

export type CoreCalls = Pick<CoreV1Api, (typeof API_CALLS.core)[number]>;
export type AuthenticationCalls = Pick<AuthenticationV1Api, (typeof API_CALLS.authentication)[number]>;
export type AuthorizationCalls = Pick<AuthorizationV1Api, (typeof API_CALLS.authorization)[number]>;
