import { asset } from '../assets.ts';
import type { Command } from '../cli/command.ts';
import { nearestNames } from '../cli/suggest.ts';
import { EXIT, usageError } from '../errors.ts';
import { printable } from '../text/printable.ts';

const SCRIPTS = {
  bash: 'cli/completion/scripts/bash.bash',
  zsh: 'cli/completion/scripts/zsh.zsh',
  fish: 'cli/completion/scripts/fish.fish',
  powershell: 'cli/completion/scripts/powershell.ps1',
  kubectl: 'plugin/kubectl_complete-gkeprof',
} as const;

type Shell = keyof typeof SCRIPTS;

export const completion: Command<Shell> = {
  name: 'completion',
  describe: 'Print a completion script for a shell',
  details: [
    'The completion of kubectl (kubectl completion --help) asks an executable named kubectl_complete-gkeprof on PATH. Put it beside the plugin: commands, flags, pods, nodes, containers, namespaces and contexts are then completed in every shell that kubectl supports.',
    'Alternatively, load one of the scripts below after the completion of kubectl. They also complete the plain command kubectl-gkeprof; the script for PowerShell completes that one only.',
    `  bash        echo 'source <(kubectl gkeprof completion bash)' >>~/.bashrc
  zsh         echo 'source <(kubectl gkeprof completion zsh)' >>~/.zshrc
  fish        kubectl gkeprof completion fish >~/.config/fish/conf.d/gkeprof.fish
  powershell  kubectl gkeprof completion powershell >>$PROFILE`,
  ],
  usage: Object.keys(SCRIPTS).join('|'),
  args: { noun: 'shell', min: 1, max: 1 },
  examples: [
    [
      'kubectl gkeprof completion kubectl >~/.local/bin/kubectl_complete-gkeprof',
      'Complete the plugin wherever kubectl is completed',
    ],
    ['chmod +x ~/.local/bin/kubectl_complete-gkeprof', ''],
    ['source <(kubectl gkeprof completion bash)', 'Load the completion into this shell'],
  ],
  options: {},
  subcommands: Object.keys(SCRIPTS),
  validate(raw) {
    const shells = Object.keys(SCRIPTS);
    const shell = raw.positionals[0]!;
    if (Object.hasOwn(SCRIPTS, shell)) return shell as Shell;
    const [near] = nearestNames(shell, shells);
    throw usageError(
      `completion: unknown shell "${printable(shell)}"`,
      near === undefined ? `shells: ${shells.join(', ')}` : `did you mean ${near}?`,
    );
  },
  async run(shell, { stdout }) {
    stdout.write(asset(SCRIPTS[shell]));
    return EXIT.done;
  },
};
