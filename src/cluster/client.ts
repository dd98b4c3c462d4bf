// What is used of the Kubernetes client, by name: a bundle leaves out the rest, and all of it is loaded on first use.
export {
  AuthenticationV1Api,
  AuthorizationV1Api,
  CoreV1Api,
  createConfiguration,
  ResponseContext,
  ServerConfiguration,
  wrapHttpLibrary,
} from '@kubernetes/client-node';
