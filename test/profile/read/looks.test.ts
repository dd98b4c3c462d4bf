import { describe, expect, it } from 'vitest';
import { ThreadLooks } from '../../../src/profile/read/looks.ts';
import { fc } from '../../properties.ts';

const looksOf = (...lines: string[]) => {
  const looks = new ThreadLooks();
  expect(lines.map((line) => looks.read(line))).toEqual(lines.map(() => true));
  return looks;
};

describe('the lines of looks at threads', () => {
  it('are read with their times, and the threads by their numbers', () => {
    const looks = looksOf(
      '# look start 1000.000001',
      '# thread start 1000.000100 7/8 S 3020338 3395205 4 ep_poll,[nf_x],x[nf_x] /kube/pod%20a my%25app',
      '# looked start 1 3',
      '# look end 1030.500000',
      '# thread end 1030.500020 7/8 D 3020338 3395206 5',
      '# looked end 1 9',
    );
    expect(looks).toMatchObject({ began: 1000.000001, ended: 1030.5, missed: 9 });
    expect(looks.atStart.get(8)).toEqual({
      ...{ time: 1000.0001, pid: 7, tid: 8, state: 'S', begun: 3020338, ran: 3395205, slices: 4 },
      ...{ functions: ['ep_poll', '[nf_x]', 'x[nf_x]'], cgroup: '/kube/pod a', comm: 'my%app' },
    });
    expect(looks.atEnd.get(8)).toMatchObject({ state: 'D', ran: 3395206, slices: 5 });
  });

  it('may lack the functions, the cgroup and the name', () => {
    const looks = looksOf('# thread start 1.5 7/7 R 1 2 3 - - %');
    expect(looks.atStart.get(7)).toMatchObject({ functions: [], comm: '' });
    expect(looks.atStart.get(7)).not.toHaveProperty('cgroup');
  });

  it('cannot be written by the name of a thread, which has no control characters left either', () => {
    const looks = looksOf('# thread start 1.5 7/7 S 1 2 3 - - a%0A%23%20look%20end%205%20%7F%C3%A9');
    expect(looks.atStart.get(7)?.comm).toBe('a?# look end 5 ?é');
    expect(looks.ended).toBeNaN();
  });

  it.each([
    '# look start',
    '# look middle 1.5',
    '# thread start 1.5 7/7 S 1 2 3 - -',
    '# thread end 1.5 7/7 S 1 2 x',
    '# thread   7/7 [000]  1000.5:  1  sched:sched_switch: prev_pid=7 prev_state=S',
    '# cmdline : perf record',
    'look start 1.5',
  ])('are no other lines: %s', (line) => {
    const looks = new ThreadLooks();
    // A line of the start without its last words is one, and says nothing.
    looks.read(line);
    expect([looks.atStart.size, looks.atEnd.size, looks.began, looks.ended]).toEqual([0, 0, NaN, NaN]);
  });

  it('never fail, whatever is in them', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), fc.string({ maxLength: 80 }), (one, other) => {
        const looks = new ThreadLooks();
        looks.read(`# thread start 1.5 7/7 S 1 2 3 ${one} - ${other}`);
        looks.read(`# look ${one}${other}`);
        const comm = looks.atStart.get(7)?.comm ?? '';
        expect(comm).not.toMatch(/[\n\r\t]/);
      }),
    );
  });
});
