# Runs the sampler of waits on threads that only this program knows, with a clock of its own:
# `simulated-threads.pl SAMPLER SECONDS THREADS COST LOCK CONDITION ARGUMENTS…`.
# Each thread waits for a lock for LOCK milliseconds, then for a condition for about CONDITION ones, again and again. To read a file
# takes COST microseconds of the sampler's time. So the same command makes the same recording on each machine, and what the recording
# says can be compared with the truth: its last line is the share of the time in which the threads waited for the lock.
use strict;
use warnings;

my ($time, $cpu, $end);
my ($sampler, $seconds, $threads, $cost, $lock, $condition);
my (@opened, %thread);
my $seed = 1;

# Not perl's own, whose numbers differ by version.
sub drawn {
  $seed = ($seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return $seed / 2_147_483_648;
}

sub turn {
  my ($it) = @_;
  $it->{in_lock} = !$it->{in_lock};
  $it->{from} = $it->{until};
  $it->{until} += 1000 * ($it->{in_lock} ? $lock : $condition * (0.9 + 0.2 * drawn()));
  $it->{turns}++;
  my ($from, $until) = map { $_ < 0 ? 0 : $_ > $end ? $end : $_ } @{$it}{qw(from until)};
  $it->{locked} += $until - $from if $it->{in_lock};
}

# What a file holds now; undef for one that does not exist.
sub content {
  my ($name) = @_;
  return "cpu  0 0 0 0 0 0 0 0\ncpu0 0\n" if $name eq '/proc/stat';
  return join '', map { "$_\n" } sort { $a <=> $b } keys %thread if $name =~ m{/cgroup\.threads$};
  return "pool\n" if $name =~ m{^/proc/\d+/comm$};
  my ($tid, $file) = $name =~ m{^/proc/(\d+)/(?:task/\d+/)?(\w+)$} or return;
  my $it = $thread{$tid} // return;
  turn($it) while $it->{until} <= $time;
  return "Tgid:\t$tid\n" if $file eq 'status';
  return "0 0 $it->{turns}\n" if $file eq 'schedstat';
  return "$tid (pool) S 0\n" if $file eq 'stat';
  return $it->{in_lock} ? "202 0x1 0x80 0x2\n" : "202 0x2 0x189 0x0\n" if $file eq 'syscall';
  return;
}

BEGIN {
  *CORE::GLOBAL::syscall = sub {
    my $number = $_[0];
    if ($number == 228) {
      my $clock = $_[1] == 2 ? $cpu : $time;
      $_[2] = pack 'qq', int($clock / 1e6), 1000 * ($clock % 1e6);
      return 0;
    }
    $time += $cost;
    $cpu += $cost;
    if ($number == 257) {
      return -1 unless defined content($_[2]);
      push @opened, $_[2];
      return $#opened;
    }
    return 0 if $number == 3;
    my $rest = substr content($opened[$_[1]]) // '', $_[4];
    substr $_[2], 0, length $rest, $rest;
    return length $rest;
  };
}

# The sampler sleeps by this.
sub pause {
  $time += 1_000_000 * $_[0] if $_[0] > 0;
  $cpu += $cost;
  kill TERM => $$ if $time >= $end;
}

($sampler, $seconds, $threads, $cost, $lock, $condition) = splice @ARGV, 0, 6;
($time, $cpu, $end) = (0, 0, 1_000_000 * $seconds);
for (1 .. $threads) {
  $thread{$_} = { in_lock => '', until => -1000 * ($lock + $condition) * drawn(), turns => 0, locked => 0 };
}
open my $file, '<', $sampler or die "$sampler: $!";
my $text = join '', <$file>;
$text =~ s/select undef, undef, undef, (.*);/main::pause($1);/ or die "the sampler does not sleep\n";
$text =~ s/\brand\b/main::drawn()/ or die "the sampler draws no numbers\n";
eval "$text\n1" or die $@;
turn($_) for grep { $_->{until} < $end } values %thread;
my $locked = 0;
for my $it (values %thread) {
  turn($it) while $it->{until} < $end;
  $locked += $it->{locked};
}
printf "%.5f\n", $locked / ($end * $threads);
