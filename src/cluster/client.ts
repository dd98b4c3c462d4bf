// The parts of the Kubernetes client that the tool uses. Because they are imported by name, the bundle can leave out the
// rest; this module is loaded on first use.
export {
  AuthenticationV1Api,
  AuthorizationV1Api,
  CoreV1Api,
  createConfiguration,
  ResponseContext,
  ServerConfiguration,
  wrapHttpLibrary,
} from '@kubernetes/client-node';
