import { describe, expect, it } from 'vitest';
import { parseFrameLine, shortName } from '../../src/profile/frame.ts';

describe('parseFrameLine', () => {
  // Each line is a trap that some other tool falls into: see the names in the comments of FlameGraph and inferno.
  it.each([
    ['\t    55d0 aeMain+0x1e (/usr/bin/redis-server)', 'aeMain', 'user', '/usr/bin/redis-server'],
    [
      '\tffffffff81e11c7d cpuidle_enter+0x2d ([kernel.kallsyms])',
      'cpuidle_enter',
      'kernel',
      '[kernel.kallsyms]',
    ],
    ['\tffffffffc0a1 nf_hook+0x1 ([nf_tables])', 'nf_hook', 'kernel', '[nf_tables]'],
    [
      '\t1 f+0x1 (/lib/modules/6.1/kernel/fs/ext4/ext4.ko.xz)',
      'f',
      'kernel',
      '/lib/modules/6.1/kernel/fs/ext4/ext4.ko.xz',
    ],
    ['\t1 f+0x1 (/usr/lib/debug/boot/vmlinux-5.4.0)', 'f', 'kernel', '/usr/lib/debug/boot/vmlinux-5.4.0'],
    ['\t7fff __vdso_gettimeofday+0x1 ([vdso])', '__vdso_gettimeofday', 'user', '[vdso]'],
    ['\t1 [unknown] ([heap])', '[[heap]]', 'user', '[heap]'],
    ['\t1 [unknown] ([kernel.kallsyms])', '[[kernel.kallsyms]]', 'kernel', '[kernel.kallsyms]'],
    ['\t1 [unknown] (//anon)', '[anon]', 'user', '//anon'],
    ['\t1 [unknown] (/usr/lib/libc.so.6)', '[libc.so.6]', 'user', '/usr/lib/libc.so.6'],
    ['\t1 [unknown] (/usr/bin/x (deleted))', '[x]', 'user', '/usr/bin/x (deleted)'],
    ['\tffffffff81000000 [unknown] ([unknown])', '[unknown]', 'user', '[unknown]'],
    ['\t    7f00 [unknown] ([unknown])', '[unknown]', 'user', '[unknown]'],
    ['\t1 work+0x4 (/usr/bin/redis-server (deleted))', 'work', 'user', '/usr/bin/redis-server (deleted)'],
    // With perf's field dsoff the place in the file stands behind the object.
    ['\t1 [unknown] (/usr/bin/x+0x12ab)', '[x]', 'user', '/usr/bin/x'],
    ['\t1 [unknown] (/usr/bin/x (deleted)+0x12ab)', '[x]', 'user', '/usr/bin/x (deleted)'],
    ['\t1 [unknown] (/opt/a (b)/my app+0x12ab)', '[my app]', 'user', '/opt/a (b)/my app'],
    ['\t1 [unknown] (/usr/lib/libstdc++.so.6+0x12ab)', '[libstdc++.so.6]', 'user', '/usr/lib/libstdc++.so.6'],
    ['\t1 [unknown] ([vdso]+0x12ab)', '[[vdso]]', 'user', '[vdso]'],
    ['\t1 work+0x4 (/usr/bin/x+0x12ab)', 'work', 'user', '/usr/bin/x'],
    ['\t1 work+0x4 (/opt/x+0y)', 'work', 'user', '/opt/x+0y'],
    ['\t1 work+0x4 (/opt/my app/bin)', 'work', 'user', '/opt/my app/bin'],
    ['\t1 work+0x4 (/opt/a (b/bin)', 'work', 'user', '/opt/a (b/bin'],
    ['\t1 std::unique_ptr<A>::operator->() const+0x4 (/x)', 'std::unique_ptr<A>::operator->', 'user', '/x'],
    [
      '\t1 std::function<void (int)>::operator()(int) const+0x1 (/x)',
      'std::function<void (int)>::operator()',
      'user',
      '/x',
    ],
    [
      '\t1 main::{lambda(int)#1}::operator()(int) const+0x1 (/x)',
      'main::{lambda(int)#1}::operator()',
      'user',
      '/x',
    ],
    ['\t1 (anonymous namespace)::f()+0x1 (/x)', '(anonymous namespace)::f', 'user', '/x'],
    ['\t1 <(A, B) as core::fmt::Debug>::fmt+0x1 (/x)', '<(A, B) as core::fmt::Debug>::fmt', 'user', '/x'],
    ['\t1 net/http.(*conn).serve+0x1 (/x)', 'net/http.(*conn).serve', 'user', '/x'],
    ['\t1 operator+(A, B)+0x10 (/x)', 'operator+', 'user', '/x'],
    ['\t1 Lorg/foo/Bar;::baz+0x1 (/tmp/perf-12.map)', 'org/foo/Bar:::baz', 'jit', '/tmp/perf-12.map'],
    ['\t1 f+0x1 (/root/.debug/jit/jitted-12-3.so)', 'f', 'jit', '/root/.debug/jit/jitted-12-3.so'],
    [
      '\t1 bpf_prog_6deef7357e7b4530_sd_devices+0x1 (bpf_prog_6deef7357e7b4530_sd_devices)',
      'bpf_prog_6deef7357e7b4530_sd_devices',
      'kernel',
      'bpf_prog_6deef7357e7b4530_sd_devices',
    ],
    ['\t1 RegExp:^ +0x1 (/tmp/perf-12.map)', 'RegExp:^ ', 'jit', '/tmp/perf-12.map'],
    ['\t1 RegExp:^  (/tmp/perf-12.map)', 'RegExp:^ ', 'jit', '/tmp/perf-12.map'],
    ['\t1 (*T).f(x)+0x1 (/x)', '(*T).f', 'user', '/x'],
    ['\t0 burn ([python] /app/my (1).py:2)', 'burn', 'script', '[python] /app/my (1).py:2'],
    ['\t0 <module> ([python] /app/a.py:1)', '<module>', 'script', '[python] /app/a.py:1'],
    ['\t0 Integer#times ([ruby] <internal:numeric>)', 'Integer#times', 'script', '[ruby] <internal:numeric>'],
    ['\t0 Worker->run ([php] /app/w.php:7)', 'Worker->run', 'script', '[php] /app/w.php:7'],
    ['\t0 org.acme.Hot.burn ([java] Hot.java:12)', 'org.acme.Hot.burn', 'jit', '[java] Hot.java:12'],
    [
      '\t0 <anonymous> ([javascript] node:internal/timers:5)',
      '<anonymous>',
      'jit',
      '[javascript] node:internal/timers:5',
    ],
    ['\t1  (/x)', '[x]', 'user', '/x'],
    ['\t1 small (inlined)', 'small', 'inlined', 'inlined'],
    ['\t1 f+0x1', 'f', 'user', ''],
    ['\t1', '[unknown]', 'user', ''],
  ])('%j', (line, name, kind, dso) => {
    const unknown = name.startsWith('[');
    expect(parseFrameLine(line)).toEqual([{ name, kind, dso, unknown }]);
  });

  it.each(['', 'no frame', '\tnot hex (x)', '\t12/12 [000] 1.0: 1 cycles:'])('%j is no frame', (line) => {
    expect(parseFrameLine(line)).toBeUndefined();
  });

  it('leaves out a name of a process in brackets, as stackcollapse-perf.pl does', () => {
    expect(parseFrameLine('\t1 (redis-server) (/x)')).toEqual([]);
  });

  it('splits what a JIT inlined, and nothing else', () => {
    const names = (line: string) => parseFrameLine(line)?.map(({ name, kind }) => `${kind} ${name}`);
    expect(names('\t1 Lo/A;::a->Lo/B;::b->LC;::c+0x1 (/tmp/perf-3.map)')).toEqual([
      'jit o/A:::a',
      'inlined o/B:::b',
      'inlined LC:::c',
    ]);
    expect(names('\t1 a->b->+0x1 (/tmp/perf-3.map)')).toEqual(['jit a', 'inlined b']);
    expect(names('\t1 -> (/tmp/perf-3.map)')).toEqual(['jit ->']);
    expect(names('\t1 f() -> T+0x1 (/x)')).toEqual(['user f']);
    expect(names('\t1 A::operator->+0x1 (/x)')).toEqual(['user A::operator->']);
  });
});

describe('shortName', () => {
  it.each([
    ['f(int, char const*)', 'f'],
    ['a::b<int (char)>::c(int)', 'a::b<int (char)>::c'],
    ['bool operator< <int>(A<int> const&, A<int> const&)', 'bool operator< <int>'],
    ['A::operator<<(int)', 'A::operator<<'],
    ['A::operator<=>(B)', 'A::operator<=>'],
    ['A::operator[](unsigned long)', 'A::operator[]'],
    ['A::operator bool() const', 'A::operator bool'],
    ['operator delete[](void*)', 'operator delete[]'],
    ['myoperator<(int)>(x)', 'myoperator<(int)>'],
    ['a::(anonymous namespace)::b(int)', 'a::(anonymous namespace)::b'],
    ['net/http.(*conn).serve', 'net/http.(*conn).serve'],
    ['main.(*T[go.shape.int]).M', 'main.(*T[go.shape.int]).M'],
    ['<(A, B) as Debug>::fmt', '<(A, B) as Debug>::fmt'],
    [
      'core::ops::function::FnOnce::call_once{{vtable.shim}}',
      'core::ops::function::FnOnce::call_once{{vtable.shim}}',
    ],
    [
      '_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..ops..drop..Drop$GT$::drop::h0123456789abcdef',
      '<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop',
    ],
    ['std::panicking::try::do_call::hfeedfacecafebeef', 'std::panicking::try::do_call'],
    ['a < b(c)', 'a < b'],
    ['Lorg/mozilla/MemberBox;.<init>(Ljava/lang/reflect/Method;)V', 'org/mozilla/MemberBox:.<init>'],
    // The list of arguments goes only where it ends the name: what is in a function is not that function.
    ['Pool::run(int)::{lambda()#1}::operator()() const', 'Pool::run(int)::{lambda()#1}::operator()'],
    ['Pool::run(int)::{lambda(int)#2}::operator()(int) const', 'Pool::run(int)::{lambda(int)#2}::operator()'],
    [
      'Pool::run(int) const::{lambda()#1}::operator()() const',
      'Pool::run(int) const::{lambda()#1}::operator()',
    ],
    ["Pool::run(int)::'lambda'(int)::operator()(int) const", "Pool::run(int)::'lambda'(int)::operator()"],
    ['Pool::run(int)::$_0::operator()(char) const', 'Pool::run(int)::$_0::operator()'],
    ['Pool::run(int)::Job::work(long)', 'Pool::run(int)::Job::work'],
    [
      '(anonymous namespace)::f(int)::{lambda()#1}::operator()() const',
      '(anonymous namespace)::f(int)::{lambda()#1}::operator()',
    ],
    ['f(int)::(anonymous class)::operator()(int) const', 'f(int)::(anonymous class)::operator()'],
    ['guard variable for f(int)::x', 'guard variable for f(int)::x'],
    ['non-virtual thunk to A::f(int)', 'non-virtual thunk to A::f'],
    // The type that a function returns is no part of its name where it has brackets.
    ['decltype(auto) std::visit<int, A>(A&&)', 'std::visit<int, A>'],
    ['decltype ((fp)((forward<A>)(fp0))) std::invoke<A>(A&&)', 'std::invoke<A>'],
    ['decltype(x)& g(int)', 'g'],
    ['decltype(auto)', 'decltype(auto)'],
    ['int (*pick<int>(char))(long)', 'pick<int>'],
    ['int (&row(int))[3]', 'row'],
    ['A::operator void (*)(int)() const', 'A::operator void (*)(int)'],
    ['f(void (*)(int), char)', 'f'],
    ['f(int (*)[3])', 'f'],
    ['A<(1 > 2), (b < c)>::f(int)', 'A<(1 > 2), (b < c)>::f'],
    ['A::f(int) const volatile &', 'A::f'],
    ['A::f(int) &&', 'A::f'],
    ['void f<int>(int) requires C<int> && (D<int>)', 'void f<int>'],
    ['f[abi:cxx11](int)', 'f[abi:cxx11]'],
    // Parts of a function that the compiler moved are named as perf names them without arguments.
    ['f(int) [clone .isra.0] [clone .cold]', 'f [clone .isra.0] [clone .cold]'],
    ['f(int) (.cold)', 'f (.cold)'],
    ['A::operator,(B)', 'A::operator,'],
    ['A::operator()<int>(int)', 'A::operator()<int>'],
    ['A::operator->*(int A::*)', 'A::operator->*'],
    ['operator"" _km(long double)', 'operator"" _km'],
    ['<impl core::fmt::Display for T>::fmt', '<impl core::fmt::Display for T>::fmt'],
    ['core::ptr::drop_in_place<[(A, B)]>', 'core::ptr::drop_in_place<[(A, B)]>'],
    ['main.(*Tree).Walk.func1', 'main.(*Tree).Walk.func1'],
    ['-[NSView(Draw) rect:in:]', '-[NSView(Draw) rect:in:]'],
    ['main.Foo.bar(x: Swift.Int) -> Swift.Bool', 'main.Foo.bar'],
    ['closure #1 () -> () in main.f() -> ()', 'closure #1 () -> () in main.f() -> ()'],
    ['System.Threading.Thread::Start(object)[Tier1]', 'System.Threading.Thread::Start'],
    ['LazyCompile:*f /srv/a (b)/x.js:1', 'LazyCompile:*f /srv/a (b)/x.js:1'],
    ['Interpreter', 'Interpreter'],
    ['LBusy;::main', 'LBusy:::main'],
    ['Linux/but::not_java', 'Linux/but::not_java'],
    ['LazyCompile:*run /srv/app.js:10', 'LazyCompile:*run /srv/app.js:10'],
    [`RegExp:[&<>"']`, `RegExp:[&<>"']`],
  ])('%s', (symbol, name) => expect(shortName(symbol)).toBe(name));
});
