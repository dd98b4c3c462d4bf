# A look at the threads of the target, at the start and at the end of a recording of waits: perf sees a thread only when it leaves a
# CPU, so it says nothing of one that waited before the recording began. docs/how-it-works.md describes the lines.
#
#   perl PROGRAM look start|end MACHINE CGROUP-FOLDER ROOT CONTAINER-IDS MOST-THREADS PROC
#
# ROOT is the root of the cgroups, or empty if a thread's cgroup is not to be written.
# A thread costs about 50 microseconds at the start, and 25 at the end. It is written at once, so that what is known stays known if this program is ended.
use strict;
use warnings;
use Fcntl qw(O_RDONLY O_NONBLOCK O_NOCTTY);

if (@ARGV && $ARGV[0] eq 'look') {
  my (undef, $when, $machine, $scope, $root, $containers, $most, $proc) = @ARGV;
  my %is_container = map { $_ => 1 } split /,/, $containers;
  my $is_pod = $containers ne '' && $scope !~ /[0-9a-f]{64}(?:\.scope)?$/;
  my $is_start = $when eq 'start';

  # perf was told to use CLOCK_MONOTONIC, which has the number 1. (perl-base has no Time::HiRes.)
  my $number = $machine eq 'aarch64' ? 113 : 228;
  my $time = "\0" x 16;
  my $clock = sub {
    syscall $number, 1, $time;
    my ($seconds, $nanoseconds) = unpack 'qq', $time;
    return sprintf '%d.%06d', $seconds, $nanoseconds / 1000;
  };

  my $text = "# look $when " . $clock->() . "\n";
  my $write = sub {
    syswrite STDOUT, $text;
    $text = '';
  };
  $write->();

  my $content = sub {
    my ($path, $bytes) = @_;
    sysopen my $file, $path, O_RDONLY | O_NONBLOCK | O_NOCTTY or return '';
    my $got = '';
    sysread $file, $got, $bytes;
    return $got;
  };

  # A word of a line: whatever a name holds, there is no blank in it, and no line feed.
  my $word = sub {
    my ($string) = @_;
    $string =~ s/([^\x21-\x24\x26-\x7e])/sprintf '%%%02X', ord $1/ge;
    return $string eq '' ? '%' : $string;
  };

  # The functions in which the kernel holds a thread, the innermost first; else the one that the scheduler knows.
  my $functions = sub {
    my ($folder) = @_;
    my @found;
    for my $line (split /\n/, $content->("$folder/stack", 8192)) {
      push @found, $1 . ($2 // '') if @found < 64 && $line =~ /^\[<[0-9a-fx]+>\] ([A-Za-z_][\w.]*)\+0x[0-9a-f]+\/0x[0-9a-f]+(?: (\[[\w-]+\]))?$/;
    }
    push @found, $1 if !@found && $content->("$folder/wchan", 128) =~ /^([A-Za-z_][\w.]*)$/;
    return join(',', @found) || '-';
  };

  # The cgroups of the target. A pod's sandbox is not one of its containers: its only thread waits forever.
  my @folders = ($scope);
  my ($looked, $missed) = (0, 0);
  for (my $at = 0; $at < @folders && $at < 1000; $at++) {
    my $folder = $folders[$at];
    if (opendir my $below, $folder) {
      for my $name (readdir $below) {
        next if $name =~ /^\./ || !-d "$folder/$name";
        next if $is_pod && $at == 0 && $name =~ /([0-9a-f]{64})(?:\.scope)?$/ && !$is_container{$1};
        push @folders, "$folder/$name";
      }
    }
    open my $list, '<', "$folder/cgroup.procs" or next;
    my $cgroup = $root eq '' ? '-' : $word->(substr $folder, length $root);
    while (my $pid = <$list>) {
      chomp $pid;
      # 0 is a process of another pid namespace.
      next unless $pid =~ /^[1-9]\d*$/;
      opendir my $tasks, "$proc/$pid/task" or next;
      for my $tid (readdir $tasks) {
        next unless $tid =~ /^\d+$/;
        if ($looked >= $most) {
          $missed++;
          next;
        }
        my $at_once = $clock->();
        my $thread = "$proc/$pid/task/$tid";
        # A name may hold brackets, so the last one ends it. The 22nd field is when the thread began.
        my ($comm, $state, $begun) = $content->("$thread/stat", 4096) =~ /\((.*)\) ([A-Za-z])(?: -?\d+){18} (\d+) /s or next;
        my ($ran, $slices) = $content->("$thread/schedstat", 128) =~ /^(\d+) \d+ (\d+)$/ or next;
        $looked++;
        $text .= "# thread $when $at_once $pid/$tid $state $begun $ran $slices";
        # Of a thread that may run, a stack says nothing.
        $text .= join ' ', '', $state eq 'R' ? '-' : $functions->($thread), $cgroup, $word->($comm) if $is_start;
        $text .= "\n";
        $write->() if length $text > 8000;
      }
    }
  }
  $text .= "# looked $when $looked $missed\n";
  $write->();
  exit 0;
}

