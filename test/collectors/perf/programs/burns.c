// Burns the CPU time that it is told, in milliseconds, in functions with known shares. NAME_60 and so on are given to the compiler, so
// that two builds of the same path can be told apart.
#include <stdlib.h>
#include <time.h>

static volatile long sink;

static long used(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

#define BURN(name)                                                                                                             \
  __attribute__((noinline)) void name(long until) {                                                                            \
    while (used() < until)                                                                                                     \
      for (int i = 0; i < 20000; i++) sink += i;                                                                               \
  }

BURN(NAME_60)
BURN(NAME_30)
BURN(NAME_10)

int main(int argc, char **argv) {
  long most = argc > 1 ? 1000 * atol(argv[1]) : 1L << 60;
  for (long done = used(); done < most;) {
    long slice = most < 50000 ? most : 50000;
    NAME_60(done + slice * 6 / 10);
    NAME_30(done + slice * 9 / 10);
    NAME_10(done += slice);
  }
  return 0;
}
