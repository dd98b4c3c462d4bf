// Burns CPU time in three functions: 60, 30 and 10 of 100 parts by the thread's own clock, whatever else the machine does.
// shares [SECONDS]: ends by itself after so much CPU time. The functions share what they call, so that only the caller names them.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// A program that is to be taken for another one has other names for the same functions.
#ifndef NAME
#define NAME(function) function
#endif

#define OWN_FRAME __attribute__((noinline, noipa))

static volatile unsigned long state = 1;

static long long clock_us(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

// Some 50 us, so that reading the clock costs nothing beside it.
OWN_FRAME static void NAME(burn)(void) {
  unsigned long value = state;
  for (int i = 0; i < 30000; i++) {
    value ^= value << 13;
    value ^= value >> 7;
    value ^= value << 17;
  }
  state = value;
}

OWN_FRAME static long long NAME(burn_for)(long long us) {
  long long start = clock_us(CLOCK_THREAD_CPUTIME_ID), now = start;
  while (now - start < us) {
    NAME(burn)();
    now = clock_us(CLOCK_THREAD_CPUTIME_ID);
  }
  return now - start;
}

// Something is left to do after each call, so that no call becomes a jump that takes the caller off the stack.
static long long sixty, thirty, ten;
OWN_FRAME static void NAME(sixty_percent)(long long us) { sixty += NAME(burn_for)(us); }
OWN_FRAME static void NAME(thirty_percent)(long long us) { thirty += NAME(burn_for)(us); }
OWN_FRAME static void NAME(ten_percent)(long long us) { ten += NAME(burn_for)(us); }

// Rounds of changing length, so that no sampling frequency keeps step with them.
OWN_FRAME static void NAME(work)(long long seconds) {
  long long printed = clock_us(CLOCK_MONOTONIC), budget = 0;
  for (int round = 0;; round++) {
    budget += 17000 + round * 5 % 13 * 1000;
    NAME(sixty_percent)(budget * 60 / 100 - sixty);
    NAME(thirty_percent)(budget * 30 / 100 - thirty);
    NAME(ten_percent)(budget * 10 / 100 - ten);
    long long now = clock_us(CLOCK_MONOTONIC);
    if (now - printed >= 1000000) {
      printf("spent sixty_percent=%lld thirty_percent=%lld ten_percent=%lld us\n", sixty, thirty, ten);
      fflush(stdout);
      printed = now;
    }
    if (seconds && budget >= seconds * 1000000) return;
  }
}

int main(int count, char **words) {
  NAME(work)(count > 1 ? atoll(words[1]) : 0);
  puts("ended");
  return 0;
}
