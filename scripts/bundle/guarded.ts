import type { Plugin, PluginBuild } from 'esbuild';

/**
 * A plugin whose rules each have to match something. If a rule matches nothing, because a file was moved or a dependency
 * has changed, the build fails. Otherwise the bundle would hold what the rule should have replaced, and only a slower start
 * would show it. `setUp` calls `matched` with the name of the rule whenever it applies.
 */
export function guarded(
  name: string,
  rules: readonly string[],
  setUp: (bundle: PluginBuild, matched: (rule: string) => void) => void,
): Plugin {
  return {
    name,
    setup(bundle) {
      const counts = new Map(rules.map((rule) => [rule, 0]));
      setUp(bundle, (rule) => {
        const count = counts.get(rule);
        if (count === undefined) throw new Error(`${name} has no rule "${rule}"`);
        counts.set(rule, count + 1);
      });
      bundle.onEnd(({ errors }) => {
        const missed = rules.filter((rule) => counts.get(rule) === 0);
        if (errors.length > 0 || missed.length === 0) return undefined;
        return { errors: missed.map((rule) => ({ text: `the plugin ${name} found nothing for "${rule}"` })) };
      });
    },
  };
}

/** Matches the path of a file of this repository, as esbuild has it on any system. */
export const pathOf = (file: string): RegExp =>
  new RegExp(`[\\\\/]${file.replaceAll('.', '\\.').replaceAll('/', '[\\\\/]')}$`);
