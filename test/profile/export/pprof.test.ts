import { Profile as Pprof } from 'pprof-format';
import { describe, expect, it } from 'vitest';
import { toPprof } from '../../../src/profile/export/pprof.ts';
import type { Profile } from '../../../src/profile/profile.ts';
import { topOf } from '../../../src/profile/top.ts';
import { printable } from '../../../src/text/printable.ts';
import { fc } from '../../properties.ts';
import { read, stacksOf } from '../reading.ts';
import { pprof as goPprof, pprofIsBuilt } from './go-pprof.ts';

/** With no flag but those given: as people call it. */
const pprof = (profile: Profile, ...words: string[]): string => goPprof(toPprof(profile, 'test'), ...words);

/** Self and total by function, out of `-top`. */
const figures = (top: string): Record<string, [number, number]> =>
  Object.fromEntries(
    [...top.matchAll(/^ *(\d+) +\S+ +\S+ +(\d+) +\S+ {2}(.*)$/gm)].map(([, self, total, name]) => [
      name!,
      [Number(self), Number(total)],
    ]),
  );

const ours = (profile: Profile): Record<string, [number, number]> =>
  Object.fromEntries(
    topOf(profile, Number.POSITIVE_INFINITY).byTotal.map(({ name, self, total }) => [name, [self, total]]),
  );

describe('go tool pprof', () => {
  pprofIsBuilt();
  it('agrees on every function, and keeps what differs within brackets apart', () => {
    const profile = stacksOf([
      [['main', 'f(int)'], 3],
      [['main', 'f(long)', 'f(long)'], 4],
      [['main', 'std::vector<int>::push(int)'], 5],
      [['main', 'std::vector<long>::push(int)', 'sys_read'], 7],
      [['main', 'std::function<void (int)>::operator()(int) const'], 6],
      [['main', '(anonymous namespace)::x'], 1],
      [['main', 'net/http.(*conn).serve'], 2],
      [['main', 'Foo::operator<(Foo const&)'], 8],
      [['main', '_ZN3foo3barEv'], 9],
    ]);
    const top = pprof(profile, '-top', '-nodecount=1000');
    expect(figures(top)).toEqual(ours(profile));
    expect(top).toContain('of 45 total');
  });

  it('has the stacks as they are, and counts those without a frame in the total', async () => {
    const text =
      'a 7/8 [000] 1.0: 1 cycles:\n\t1 leaf (/x)\n\t2 middle (/x)\n\t3 main (/x)\n\n'.repeat(3) +
      'b 9/9 [000] 1.0: 1 cycles:\n\n';
    const { profile } = await read(text);
    expect(pprof(profile, '-traces')).toMatch(
      /thread: *a\n *pid: *7\n *tid: *8\n *3 {3}leaf\n *middle\n *main\n/,
    );
    expect(pprof(profile, '-top')).toContain('of 4 total');
  });
});

describe('profile.proto', () => {
  it('holds every stack with its count, whatever the names are', () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).map((text) => `f${text}`);
    const stacks = fc.array(
      fc.tuple(fc.array(name, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 1e9 })),
      {
        minLength: 1,
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(stacks, (paths) => {
        const decoded = Pprof.decode(toPprof(stacksOf(paths), 'test'));
        const nameOf = (location: number | bigint) => {
          const of = decoded.location.find(({ id }) => id === location)!.line[0]!.functionId;
          return decoded.stringTable.strings[Number(decoded.function.find(({ id }) => id === of)!.name)]!;
        };
        const got = new Map<string, number>();
        for (const { locationId, value } of decoded.sample)
          got.set(JSON.stringify(locationId.map(nameOf).reverse()), Number(value[0]));
        const want = new Map<string, number>();
        for (const [path, times] of paths) {
          const shown = JSON.stringify(path.map(printable));
          want.set(shown, (want.get(shown) ?? 0) + times);
        }
        expect(got).toEqual(want);
      }),
    );
  });
});
