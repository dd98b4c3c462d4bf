// As shares.c, with an exception that is thrown through two frames after every 200 us of work.
#include <cstdio>
#include <ctime>

#define OWN_FRAME __attribute__((noinline, noipa))

static volatile unsigned long state = 1;

static long long clock_us(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

struct Burnt {
  long long us;
};

struct Guard {
  OWN_FRAME ~Guard() { state = state + 1; }
};

OWN_FRAME static void burn() {
  unsigned long value = state;
  for (int i = 0; i < 30000; i++) {
    value ^= value << 13;
    value ^= value >> 7;
    value ^= value << 17;
  }
  state = value;
}

OWN_FRAME static void burn_and_throw(long long start) {
  Guard guard;
  long long now = start;
  while (now - start < 200) {
    burn();
    now = clock_us(CLOCK_THREAD_CPUTIME_ID);
  }
  throw Burnt{now - start};
}

OWN_FRAME static void attempt() {
  Guard guard;
  burn_and_throw(clock_us(CLOCK_THREAD_CPUTIME_ID));
}

OWN_FRAME static long long burn_for(long long us) {
  long long start = clock_us(CLOCK_THREAD_CPUTIME_ID), burnt = 0;
  while (burnt < us) {
    try {
      attempt();
    } catch (const Burnt &) {
      burnt = clock_us(CLOCK_THREAD_CPUTIME_ID) - start;
    }
  }
  return burnt;
}

static long long sixty, thirty, ten;
OWN_FRAME static void sixty_percent(long long us) { sixty += burn_for(us); }
OWN_FRAME static void thirty_percent(long long us) { thirty += burn_for(us); }
OWN_FRAME static void ten_percent(long long us) { ten += burn_for(us); }

OWN_FRAME static void work() {
  long long printed = clock_us(CLOCK_MONOTONIC), budget = 0;
  for (int round = 0;; round++) {
    budget += 17000 + round * 5 % 13 * 1000;
    sixty_percent(budget * 60 / 100 - sixty);
    thirty_percent(budget * 30 / 100 - thirty);
    ten_percent(budget * 10 / 100 - ten);
    long long now = clock_us(CLOCK_MONOTONIC);
    if (now - printed < 1000000) continue;
    printed = now;
    std::printf("spent sixty_percent=%lld thirty_percent=%lld ten_percent=%lld us\n", sixty, thirty, ten);
    std::fflush(stdout);
  }
}

int main() { work(); }
