# Looks at the threads of a target, and writes what they do: docs/waits-format.md describes the lines.
# Only perl-base is needed, which every Debian has: so there is no Time::HiRes, and the clock is read by a system call.
#
# A look must be cheap. The file schedstat of each thread stays open, and reading it takes a microsecond. If its text is as it was,
# the thread has not run since, so it is where it was, and nothing else is read. Files are read by system calls, because
# perl's own open makes six of them, and a seek is one more.
use strict;
use warnings;
no warnings "portable"; # Addresses have more than 32 bits.
use Errno qw(EMFILE);
use Fcntl qw(O_RDONLY O_WRONLY O_APPEND O_CREAT O_NONBLOCK O_NOCTTY);
use Socket qw(inet_ntop AF_INET AF_INET6 AF_UNIX);

my ($out, $reason_file, $arch, $rate, $most_threads, $netns, $containers, $scope, $path, $limits, $usages, $ticks) = @ARGV;
my %is_container = map { $_ => 1 } split /,/, $containers;
my $is_pod = $containers ne '' && $scope !~ /[0-9a-f]{64}(?:\.scope)?$/;

# Numbers of system calls. aarch64 lacks the older ones.
my $is_arm = $arch eq 'aarch64';
use constant { CLOCK_REALTIME => 0, CLOCK_MONOTONIC => 1, CLOCK_PROCESS_CPUTIME_ID => 2, CLONE_NEWNET => 0x40000000 };
my ($SYS_clock_gettime, $SYS_setns, $SYS_openat, $SYS_close, $SYS_pread) = $is_arm ? (113, 268, 56, 57, 67) : (228, 308, 257, 3, 17);
use constant { AT_FDCWD => -100, O_CLOEXEC => 02000000 };
# What a thread waits for in a system call. `fd` calls have a descriptor as their first argument; `read` and `write` of a socket
# wait for data or for room.
my %calls = (
  read => [$is_arm ? (63, 65, 67, 69, 286, 207, 212, 243) : (0, 19, 17, 295, 327, 45, 47, 299)],
  write => [$is_arm ? (64, 66, 68, 70, 287, 206, 211, 269, 203) : (1, 20, 18, 296, 328, 44, 46, 307, 42)],
  file => [$is_arm ? (82, 83, 84, 46, 47, 62, 71, 61) : (74, 75, 277, 77, 285, 8, 40, 217)],
  path => [$is_arm ? (56, 35, 38, 276, 79, 291, 34, 48) : (257, 2, 87, 263, 82, 316, 4, 6, 262, 332, 83, 258, 21, 269)],
  accept => [$is_arm ? (202, 242) : (43, 288)],
  epoll => [$is_arm ? (22, 441) : (232, 281, 441)],
  poll => [$is_arm ? 73 : (7, 271)],
  select => [$is_arm ? 72 : (23, 270)],
  futex => [$is_arm ? (98, 449, 455) : (202, 449, 455)],
  timer => [$is_arm ? (101, 115) : (35, 230)],
  child => [$is_arm ? (260, 95) : (61, 247)],
  signal => [$is_arm ? (133, 137) : (34, 130, 128)],
  flock => [$is_arm ? 32 : 73],
  fcntl => [$is_arm ? 25 : 72],
  aio => [$is_arm ? (4, 292) : (208, 333)],
  io_uring => [426],
  semaphore => [$is_arm ? (192, 193) : (65, 220)],
  message => [$is_arm ? (188, 189) : (69, 70)],
);
my %call;
for my $kind (keys %calls) { $call{$_} = $kind for @{$calls{$kind}} }
my %is_send = map { $_ => 1 } @{$calls{write}};

sysopen my $file, $out, O_WRONLY | O_APPEND | O_CREAT, 0640 or die "$out: $!\n";
my $text = '';

my $spec = "\0" x 16;

# Microseconds of a clock.
sub clock {
  syscall $SYS_clock_gettime, $_[0], $spec;
  my ($seconds, $nanoseconds) = unpack 'qq', $spec;
  return $seconds * 1_000_000 + int($nanoseconds / 1000);
}

my $began = clock(CLOCK_MONOTONIC);
my $now = 0;
my $cpu = 0;
sub tell_time { $now = clock(CLOCK_MONOTONIC) - $began }

sub put { $text .= join(' ', @_) . "\n" }

# Only whole lines are written, so a recording that is cut by a kill lacks only its end.
sub flush {
  while ($text ne '') {
    my $wrote = syswrite $file, $text;
    exit 1 unless $wrote;
    substr $text, 0, $wrote, '';
  }
}

sub escaped {
  my ($string) = @_;
  $string =~ s/([^\x21-\x24\x26-\x7e])/sprintf '%%%02X', ord $1/ge;
  return $string eq '' ? '%' : $string;
}

# Opens a file of /proc or of a cgroup, and returns its descriptor; undef if that fails.
sub open_file {
  my ($name) = @_;
  my $descriptor = syscall $SYS_openat, AT_FDCWD, $name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0;
  return $descriptor < 0 ? undef : $descriptor;
}

sub close_file { syscall $SYS_close, $_[0] if defined $_[0] }

# The text of an open file, 4096 bytes at most; undef if it cannot be read, as for a thread that has ended.
my $buffer = "\0" x 4096;

sub again {
  my $got = syscall $SYS_pread, $_[0], $buffer, 4096, 0;
  return $got > 0 ? substr $buffer, 0, $got : undef;
}

# The text of an open file, up to so many bytes.
my $large = "\0" x 65536;

sub whole {
  my ($descriptor, $most) = @_;
  my $content = '';
  while (length $content < $most) {
    my $got = syscall $SYS_pread, $descriptor, $large, 65536, length $content;
    last if $got <= 0;
    $content .= substr $large, 0, $got;
  }
  return $content;
}

sub read_file {
  my ($name, $most) = @_;
  my $descriptor = open_file($name) // return;
  my $content = $most > 4096 ? whole($descriptor, $most) : again($descriptor) // '';
  close_file($descriptor);
  return $content;
}

