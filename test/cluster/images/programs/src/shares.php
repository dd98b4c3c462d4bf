<?php
// As shares.c, in PHP. The process has one thread, so that its clock is the thread's.

function clock_us(): int
{
    $usage = getrusage();
    return ($usage['ru_utime.tv_sec'] + $usage['ru_stime.tv_sec']) * 1000000
        + $usage['ru_utime.tv_usec'] + $usage['ru_stime.tv_usec'];
}

function burn(): int
{
    $value = 1;
    for ($i = 0; $i < 2000; $i++) {
        $value = ($value * 1103515245 + 12345) & 0x7FFFFFFF;
    }
    return $value;
}

function burn_for(int $us): int
{
    $start = $now = clock_us();
    while ($now - $start < $us) {
        burn();
        $now = clock_us();
    }
    return $now - $start;
}

function sixty_percent(int $us): int
{
    return burn_for($us);
}

function thirty_percent(int $us): int
{
    return burn_for($us);
}

function ten_percent(int $us): int
{
    return burn_for($us);
}

function work(): void
{
    $sixty = $thirty = $ten = $budget = 0;
    $printed = hrtime(true);
    for ($round = 0; ; $round++) {
        $budget += 17000 + $round * 5 % 13 * 1000;
        $sixty += sixty_percent(intdiv($budget * 60, 100) - $sixty);
        $thirty += thirty_percent(intdiv($budget * 30, 100) - $thirty);
        $ten += ten_percent(intdiv($budget * 10, 100) - $ten);
        if (hrtime(true) - $printed < 1000000000) {
            continue;
        }
        $printed = hrtime(true);
        echo "spent sixty_percent=$sixty thirty_percent=$thirty ten_percent=$ten us\n";
    }
}

work();
