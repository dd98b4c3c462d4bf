/** What kubectl processes and credential plugins need of the process that starts them. */
export interface KubectlHome {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Windows has no process groups. */
  readonly windows: boolean;
  /** Called with each kubectl command line before it runs (-v), and with its exit status afterwards (level 2). */
  readonly trace?: (line: string, level?: number) => void;
  /** Registers a function that is called when this process ends. */
  readonly onExit?: (end: () => void) => void;
  /** The kubectl process that already reads the configuration since the start of the command. */
  readonly ahead?: ReadAhead;
}

/** The environment of kubectl processes: a user's preferences (KEP-3104) are off, because they could change our flags. */
export const childEnvironment = ({ env }: Pick<KubectlHome, 'env'>): NodeJS.ProcessEnv => ({
  ...(env as NodeJS.ProcessEnv),
  KUBECTL_KUBERC: 'false',
});

/** The reason and the hint of the error. */
export const NOT_INSTALLED = [
  'kubectl was not found on PATH',
  'install kubectl: gkeprof is a kubectl plugin and uses kubectl exec and kubectl cp',
] as const;

/** The exit code and the whole output of a kubectl process. */
export interface KubectlOutput {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A kubectl process that was started for its output. */
export interface KubectlQuestion {
  readonly output: Promise<KubectlOutput>;
  /** Kills the process, because nobody needs its output any more. */
  abandon(): void;
}

/** The kubectl process that reads the configuration ahead of time. */
export interface ReadAhead extends KubectlQuestion {
  /** The file of --kubeconfig; undefined for the configuration of the environment. */
  readonly kubeconfig: string | undefined;
}
