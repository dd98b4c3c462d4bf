# As shares.c, in Perl. Debian's perl-base has no Time::HiRes: the clock is read by the system call itself.
use strict;
use warnings;
use Config;

$| = 1;
my $clock_gettime = $Config{archname} =~ /^aarch64/ ? 113 : 228;
my $CLOCK_THREAD_CPUTIME_ID = 3;

sub clock_us {
    my $time = "\0" x 16;
    syscall($clock_gettime, $CLOCK_THREAD_CPUTIME_ID, $time);
    my ($seconds, $nanoseconds) = unpack 'q2', $time;
    return $seconds * 1000000 + int($nanoseconds / 1000);
}

sub burn {
    my $value = 1;
    for my $i (1 .. 1000) {
        $value = ($value * 1103515245 + 12345) & 0x7FFFFFFF;
    }
    return $value;
}

sub burn_for {
    my ($us) = @_;
    my $start = clock_us();
    my $now = $start;
    while ($now - $start < $us) {
        burn();
        $now = clock_us();
    }
    return $now - $start;
}

sub sixty_percent  { my $spent = burn_for($_[0]); return $spent; }
sub thirty_percent { my $spent = burn_for($_[0]); return $spent; }
sub ten_percent    { my $spent = burn_for($_[0]); return $spent; }

sub work {
    my ($sixty, $thirty, $ten, $budget, $turn, $printed) = (0, 0, 0, 0, 0, time);
    while (1) {
        $budget += 17000 + $turn++ * 5 % 13 * 1000;
        $sixty  += sixty_percent(int($budget * 60 / 100) - $sixty);
        $thirty += thirty_percent(int($budget * 30 / 100) - $thirty);
        $ten    += ten_percent(int($budget * 10 / 100) - $ten);
        next if time - $printed < 1;
        $printed = time;
        print "spent sixty_percent=$sixty thirty_percent=$thirty ten_percent=$ten us\n";
    }
}

work();
