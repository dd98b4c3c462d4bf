/** Environment and folder for child processes. */
export interface KubectlHome {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Windows has no process groups. */
  readonly windows: boolean;
  /** Called with each line of kubectl before it runs, for -v, and with how it ended, for level 2. */
  readonly trace?: (line: string, level?: number) => void;
  /** Calls back when this process ends. */
  readonly onExit?: (end: () => void) => void;
  /** What kubectl was asked for when the command began. */
  readonly ahead?: ReadAhead;
}

/** Of children of kubectl: preferences of a user (KEP-3104) could give them other flags than ours. */
export const childEnvironment = ({ env }: Pick<KubectlHome, 'env'>): NodeJS.ProcessEnv => ({
  ...(env as NodeJS.ProcessEnv),
  KUBECTL_KUBERC: 'false',
});

/** The reason, and what to do. */
export const NOT_INSTALLED = [
  'kubectl was not found on PATH',
  'install kubectl: this is a plugin of it, and uses its exec and cp',
] as const;
/** What kubectl said, to its end. */
export interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A question to kubectl. */
export interface KubectlQuestion {
  readonly said: Promise<Said>;
  /** Nobody wants the answer any more. */
  abandon(): void;
}
/** kubectl's answer about the configuration, on its way. */
export interface ReadAhead extends KubectlQuestion {
  /** Of the file that --kubeconfig names; undefined for that of the environment. */
  readonly kubeconfig: string | undefined;
}
