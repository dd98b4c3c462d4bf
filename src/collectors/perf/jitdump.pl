# The functions that a JIT compiler has described in a jitdump file (Linux tools/perf/Documentation/jitdump-specification.txt), as a
# perf map. perf itself would have to record by the clock of these files, and `perf inject` would write a file for each function.
use strict;
use warnings;
use Fcntl qw(SEEK_SET O_WRONLY O_CREAT O_EXCL O_NOFOLLOW);

use constant { CODE_LOAD => 0, CODE_MOVE => 1, MOST_FUNCTIONS => 500_000, MOST_PAGES => 600_000, MOST_NAME => 1024 };

# write_jit_map FROM, PID, TO, MOST, LEFT, UNTIL: the functions of the process with that pid in its own namespace, by the state at
# the end of the file: what was loaded last at an address counts. Returns what became of it and, if the map is `taken`, its bytes. A
# container writes the file as it likes. So every length is checked; it may have MOST bytes, and the map LEFT.
sub write_jit_map {
  my ($from, $pid, $to, $most, $left, $until) = @_;
  my $size = (stat $from)[7];
  return 'large' if $size > $most;
  # The compiler may not have written anything yet.
  return 'changed' if $size < 40;
  my $read = sub {
    my $text = '';
    sysread $from, $text, 56 + MOST_NAME if sysseek $from, $_[0], SEEK_SET;
    return $text . "\0" x 64;
  };
  # By their first address: the end, the unique number and the name. And these addresses by page.
  my (%function, %on_page);
  my $put = sub {
    my ($start, $end, $rest) = @_;
    for my $page ($start >> 12 .. $end - 1 >> 12) {
      # Whatever had a part of this place is not there any more.
      my @stay = grep {
        delete $function{$_} if $function{$_} && $_ < $end && unpack('Q', $function{$_}) > $start;
        $function{$_};
      } @{ $on_page{$page} };
      $on_page{$page} = [@stay, $start];
    }
    $function{$start} = pack('Q', $end) . $rest;
  };

  my ($magic, $version, $at) = unpack 'L3', $read->(0);
  return 'format' unless $magic == 0x4A695444 && $version == 1 && $at >= 40;
  my $records = 0;
  while (1) {
    return 'time' if !($records++ & 0xff) && time > $until;
    my $record = $read->($at);
    my ($kind, $length, $of, @field) = unpack 'L L x8 L x12 Q4', $record;
    # The last record may not yet be whole.
    last if $length < 16 || $at + $length > $size;
    if ($kind == CODE_LOAD && $of == $pid) {
      my ($start, $code, $index) = @field;
      # The record holds the code itself, so this bounds the pages too.
      my $room = $length - 56;
      if ($code && $code < $room && $start < 1 << 56) {
        my $name = unpack 'Z*', substr $record, 56, $room - $code < MOST_NAME ? $room - $code : MOST_NAME;
        $name =~ s/[\x00-\x1f\x7f]/?/g;
        $put->($start, $start + $code, pack('Q', $index) . $name);
      }
    } elsif ($kind == CODE_MOVE && $of == $pid && $length >= 64) {
      my ($old, $start, undef, $index) = @field;
      my ($end, $number) = unpack 'Q Q', $function{$old} // '';
      if (defined $end && $number == $index && $start < 1 << 56) {
        my $moved = delete $function{$old};
        $put->($start, $start + $end - $old, substr $moved, 8);
      }
    }
    # One large function that moves again and again would fill the memory with pages that it has left.
    return 'large' if keys %function > MOST_FUNCTIONS || keys %on_page > MOST_PAGES;
    $at += $length;
  }

  my $map = '';
  for my $start (sort { $a <=> $b } keys %function) {
    my ($end, $name) = unpack 'Q x8 a*', $function{$start};
    $map .= sprintf "%x %x %s\n", $start, $end - $start, $name if $name ne '';
    return 'total' if length $map > $left;
  }
  return 'changed' if $map eq '' || !sysopen my $copy, $to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600;
  return ('taken', length $map) if (syswrite($copy, $map) // 0) == length $map;
  unlink $to;
  return 'changed';
}
