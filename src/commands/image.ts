import type { Command } from '../cli/command.ts';
import { type ChosenImage, chosenImage, isImageName } from '../cli/images.ts';
import type { OptionTable } from '../cli/option-spec.ts';
import { DEBUG_POD_OPTIONS } from '../cli/options.ts';
import { outputFormatOf, outputOption } from '../cli/output-option.ts';
import { EXIT, usageError } from '../errors.ts';
import type { OutputFormat } from '../output/format.ts';
import { printResult } from '../output/result.ts';
import { table } from '../output/table.ts';
import { printable } from '../text/printable.ts';
import { toolVersion } from '../version.ts';

interface ImageOptions {
  readonly chosen: ChosenImage;
  /** The name of the copy; absent for `list`. */
  readonly copy?: string;
  readonly format: OutputFormat;
}

const OPTIONS: OptionTable = {
  image: DEBUG_POD_OPTIONS.image!,
  output: outputOption('the image, for mirror that of the copy'),
};

const ACTIONS: readonly string[] = ['list', 'mirror'];

export const image: Command<ImageOptions> = {
  name: 'image',
  describe: 'Show the image that nodes have to pull, or print the commands that copy it to a registry',
  details: [
    'list shows the image of the debug pod with your settings: what --image, GKEPROF_IMAGE or the configuration file names, or else the default.',
    'mirror prints the commands that copy this image, for all processors, to the name REGISTRY/NAME[:TAG]; without a tag it gets the version of gkeprof. If the image is a plain Debian, it prints the commands that build and push the diagnostic image instead, because a copy of Debian would still need the Debian mirrors. Nothing is run.',
  ],
  usage: 'list|mirror [REGISTRY/NAME] [flags]',
  args: { noun: 'argument', min: 1, max: 2 },
  examples: [
    ['kubectl gkeprof image list', 'Show which image nodes have to pull'],
    [
      'kubectl gkeprof image mirror registry.example/gkeprof-tools',
      'Print the commands that bring it to a private registry',
    ],
  ],
  options: OPTIONS,
  subcommands: ACTIONS,

  validate(raw) {
    const [action, copy] = raw.positionals;
    if (!ACTIONS.includes(action!))
      throw usageError(
        `image: unknown subcommand "${printable(action!)}"`,
        `the subcommands are ${ACTIONS.join(' and ')}: kubectl gkeprof image list`,
      );
    const options = { chosen: chosenImage(raw.text('image')), format: outputFormatOf(raw) };
    if (action === 'list') {
      if (copy !== undefined) throw usageError('image list takes no name', 'leave it out');
      return options;
    }
    if (copy === undefined)
      throw usageError(
        'image mirror: missing name of the copy',
        'kubectl gkeprof image mirror registry.example/gkeprof-tools',
      );
    if (!isImageName(copy) || copy.includes('@') || !copy.includes('/'))
      throw usageError(
        `"${printable(copy)}" cannot be the name of a copy`,
        'name a registry and a repository, such as registry.example/gkeprof-tools:1',
      );
    return { ...options, copy: /:[^/]*$/.test(copy) ? copy : `${copy}:${toolVersion()}` };
  },

  async run({ chosen, copy, format }, context) {
    if (copy === undefined) {
      const tools = chosen.install ? 'installed at start' : 'in the image';
      await printResult(
        context,
        format,
        () => ({ kind: 'ImageList', version: 1, images: [{ image: chosen.image, install: chosen.install }] }),
        [chosen.image],
        () => table([{ title: 'IMAGE' }, { title: 'TOOLS' }], [[chosen.image, tools]]),
      );
      return EXIT.done;
    }
    const commands = [
      chosen.install
        ? `docker buildx build --platform linux/amd64,linux/arm64 --tag ${copy} --push image`
        : `docker buildx imagetools create --tag ${copy} ${chosen.image}`,
      `${context.windows ? 'set' : 'export'} GKEPROF_IMAGE=${copy}`,
    ];
    if (chosen.install)
      context.log.line(
        `${chosen.image} has no tools to copy: these commands build an image from the folder image of the sources or of the npm package`,
      );
    const from = chosen.install ? null : chosen.image;
    await printResult(
      context,
      format,
      () => ({ kind: 'ImageMirror', version: 1, from, to: copy, commands }),
      [copy],
      () => commands.map((line) => `${line}\n`).join(''),
    );
    return EXIT.done;
  },
};
