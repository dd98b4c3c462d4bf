# A program that waits in known ways, and writes how long. It needs only perl-base, so it runs in any Debian:
#
#   perl waiter.pl serve PORT MILLISECONDS          answers each byte after so long
#   perl waiter.pl work KEY=VALUE…                  one round after the other:
#     sleep=20 peer=IP:PORT lock=10 disk=5 spin=10  milliseconds of each; 0, or no peer, leaves it out
#     file=PATH                                     a file for the disk, which is read with O_DIRECT
#     seconds=0                                     ends after so long; 0: never
#
# Five times a second it writes one line of JSON: how long the thread was waiting in each of these ways, how long it ran (run) and stood in the
# queue of a CPU (delay), all in microseconds since the start. The waiting is the time that passed without the time
# that it ran or stood in the queue: the kernel's own counters of the thread tell these.
use strict;
use warnings;
use Fcntl qw(O_RDONLY O_RDWR O_CREAT);
use Socket qw(inet_aton pack_sockaddr_in PF_INET SOCK_STREAM SOL_SOCKET SO_REUSEADDR INADDR_ANY IPPROTO_TCP TCP_NODELAY);

my $is_arm = `uname -m` =~ /aarch64/;
my ($SYS_pread, $SYS_mmap, $SYS_futex, $SYS_clock_gettime) = $is_arm ? (67, 222, 98, 113) : (17, 9, 202, 228);
my $O_DIRECT = $is_arm ? 0200000 : 040000;
use constant { FUTEX_WAIT => 0, FUTEX_WAKE => 1, MONOTONIC => 1, THREAD_CPUTIME => 3, MEGABYTE => 1 << 20 };
$| = 1;
$SIG{CHLD} = 'IGNORE';

sub clock {
  my $spec = "\0" x 16;
  syscall $SYS_clock_gettime, $_[0], $spec;
  my ($seconds, $nanoseconds) = unpack 'qq', $spec;
  return $seconds * 1e6 + $nanoseconds / 1e3;
}

sub pause { select undef, undef, undef, $_[0] / 1000 }

sub serve {
  my ($port, $milliseconds) = @_;
  socket my $listener, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
  setsockopt $listener, SOL_SOCKET, SO_REUSEADDR, 1;
  bind $listener, pack_sockaddr_in($port, INADDR_ANY) or die "bind: $!";
  listen $listener, 100 or die "listen: $!";
  print "serving\n";
  while (1) {
    accept my $client, $listener or next;
    my $pid = fork;
    next if $pid;
    setsockopt $client, IPPROTO_TCP, TCP_NODELAY, 1;
    while (sysread $client, my $byte, 1) {
      pause($milliseconds);
      syswrite $client, $byte;
    }
    exit;
  }
}

sub work {
  my %want = (sleep => 20, lock => 10, disk => 5, spin => 10, seconds => 0, peer => '', file => '', map { split /=/, $_, 2 } @_);
  my %waited = map { $_ => 0 } qw(sleep peer lock disk spin);
  my $peer;
  if ($want{peer} ne '') {
    my ($host, $port) = split /:/, $want{peer};
    # The peer may not serve yet.
    for (1 .. 200) {
      socket $peer, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
      last if connect $peer, pack_sockaddr_in($port, inet_aton($host));
      undef $peer;
      pause(100);
    }
    $peer or die "connect: $!";
    setsockopt $peer, IPPROTO_TCP, TCP_NODELAY, 1;
  }

  # One page that two processes share: the lock. And memory to read into, which begins at a page as O_DIRECT wants it.
  my $lock = syscall $SYS_mmap, 0, 4096, 3, 0x21, -1, 0;
  my $memory = syscall $SYS_mmap, 0, MEGABYTE, 3, 0x22, -1, 0;
  # Perl cannot write to an address, but the kernel can: the words 0 and 2 are read into it from a pipe that is a file.
  open my $words, '+>', undef or die "no temporary file: $!";
  syswrite $words, pack 'LL', 0, 2;
  my $poke = sub { syscall $SYS_pread, fileno $words, $lock, 4, $_[0] * 2 };

  # The holder of the lock gives it back after so long.
  pipe my $asks, my $ask or die "pipe: $!";
  my $parent = $$;
  if ($want{lock} && fork == 0) {
    $0 = 'holder';
    close $ask;
    while (sysread $asks, my $byte, 1) {
      pause($want{lock});
      $poke->(0);
      syscall $SYS_futex, $lock, FUTEX_WAKE, 1, 0, 0, 0;
    }
    exit;
  }
  close $asks;
  $0 = 'worker';

  my ($file, $blocks) = (undef, 64);
  if ($want{disk} && $want{file} ne '') {
    sysopen my $made, $want{file}, O_RDWR | O_CREAT or die "$want{file}: $!";
    for (1 .. $blocks) { (syswrite($made, 'x' x MEGABYTE) // 0) == MEGABYTE or die "$want{file}: $!" }
    close $made;
    sysopen $file, $want{file}, O_RDONLY | $O_DIRECT or die "$want{file}: $!";
  }

  sysopen my $schedstat, '/proc/self/schedstat', O_RDONLY or die "schedstat: $!";
  my $used = sub {
    sysseek $schedstat, 0, 0;
    sysread $schedstat, my $text, 100;
    my ($run, $delay) = split ' ', $text;
    return ($run / 1000, $delay / 1000);
  };
  my $began = clock(MONOTONIC);
  my ($run0, $delay0) = $used->();
  my $timed = sub {
    my ($kind, $what) = @_;
    my $from = clock(MONOTONIC);
    my ($run, $delay) = $used->();
    $what->();
    my ($run2, $delay2) = $used->();
    my $waited = clock(MONOTONIC) - $from - ($run2 - $run) - ($delay2 - $delay);
    $waited{$kind} += $waited if $waited > 0;
  };
  my $told = $began;
  while (1) {
    $timed->(sleep => sub { pause($want{sleep}) }) if $want{sleep};
    $timed->(peer => sub { syswrite $peer, 'x'; sysread $peer, my $byte, 1 }) if $peer;
    $timed->(lock => sub {
      $poke->(2);
      syswrite $ask, 'x';
      syscall $SYS_futex, $lock, FUTEX_WAIT, 2, 0, 0, 0 while unpack('L', unpack 'P4', pack 'Q', $lock) == 2;
    }) if $want{lock};
    $timed->(disk => sub {
      my $until = clock(MONOTONIC) + 1000 * $want{disk};
      syscall $SYS_pread, fileno $file, $memory, MEGABYTE, MEGABYTE * int rand $blocks while clock(MONOTONIC) < $until;
    }) if $file;
    $timed->(spin => sub {
      my $until = clock(THREAD_CPUTIME) + 1000 * $want{spin};
      1 while clock(THREAD_CPUTIME) < $until;
    }) if $want{spin};
    my $now = clock(MONOTONIC);
    next if $now - $told < 2e5;
    $told = $now;
    my ($run, $delay) = $used->();
    my %all = (%waited, run => $run - $run0, delay => $delay - $delay0, wall => $now - $began);
    print '{', join(',', map { sprintf '"%s":%d', $_, $all{$_} } sort keys %all), "}\n";
    exit if $want{seconds} && $now - $began >= 1e6 * $want{seconds};
  }
}

my ($mode, @rest) = @ARGV;
$mode eq 'serve' ? serve(@rest) : work(@rest);
