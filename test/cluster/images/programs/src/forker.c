// A program that forks for each request, as CGI and prefork servers do: a child lives for 50 ms of CPU time and shares them out
// as 60, 30 and 10 of 100.
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OWN_FRAME __attribute__((noinline, noipa))

static volatile unsigned long state = 1;
static volatile long long spent;

static long long clock_us(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

OWN_FRAME static void burn(void) {
  unsigned long value = state;
  for (int i = 0; i < 30000; i++) {
    value ^= value << 13;
    value ^= value >> 7;
    value ^= value << 17;
  }
  state = value;
}

OWN_FRAME static long long burn_for(long long us) {
  long long start = clock_us(CLOCK_THREAD_CPUTIME_ID), now = start;
  while (now - start < us) {
    burn();
    now = clock_us(CLOCK_THREAD_CPUTIME_ID);
  }
  return now - start;
}

OWN_FRAME static void sixty_percent(long long us) { spent += burn_for(us); }
OWN_FRAME static void thirty_percent(long long us) { spent += burn_for(us); }
OWN_FRAME static void ten_percent(long long us) { spent += burn_for(us); }

OWN_FRAME static void request(void) {
  sixty_percent(30000);
  thirty_percent(15000);
  ten_percent(5000);
}

int main(void) {
  long long printed = clock_us(CLOCK_MONOTONIC);
  for (long long requests = 1;; requests++) {
    pid_t child = fork();
    if (child == 0) {
      request();
      _exit(0);
    }
    if (child < 0 || waitpid(child, NULL, 0) != child) return 1;
    long long now = clock_us(CLOCK_MONOTONIC);
    if (now - printed < 1000000) continue;
    printed = now;
    printf("spent sixty_percent=%lld thirty_percent=%lld ten_percent=%lld us\n", requests * 30000, requests * 15000, requests * 5000);
    fflush(stdout);
  }
}
