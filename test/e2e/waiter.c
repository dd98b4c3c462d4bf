// Waits in ways that it measures itself: it sleeps for 20 ms, spins for 5 ms of CPU time, takes a lock that another thread holds
// most of the time, and writes to a disk. Ten times a second it prints how long each took in all, in seconds of the wall clock and
// of its CPU time. test/e2e/offcpu.test.ts compares.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define KEPT __attribute__((noinline))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static double at(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void doze(double seconds) {
  struct timespec time = {0, seconds * 1e9};
  nanosleep(&time, NULL);
}

KEPT void spin(double seconds) {
  double end = at(CLOCK_THREAD_CPUTIME_ID) + seconds;
  while (at(CLOCK_THREAD_CPUTIME_ID) < end) {
  }
}

KEPT void *hold(void *nothing) {
  prctl(PR_SET_NAME, "holder");
  for (;;) {
    pthread_mutex_lock(&lock);
    doze(0.010);
    pthread_mutex_unlock(&lock);
    doze(0.001);
  }
  return nothing;
}

KEPT void contend(void) {
  pthread_mutex_lock(&lock);
  pthread_mutex_unlock(&lock);
}

KEPT void write_disk(int file, void *block) {
  for (int times = 0; times < 4; times++) {
    if (pwrite(file, block, 1 << 20, 0) < 0) exit(1);
    fdatasync(file);
  }
}

int main(int count, char **words) {
  pthread_t holder;
  void *block;
  double wall[4] = {0}, cpu[4] = {0}, printed = 0;
  int file = open(words[count - 1], O_RDWR | O_CREAT, 0600);
  if (file < 0 || posix_memalign(&block, 4096, 1 << 20)) return 1;
  pthread_create(&holder, NULL, hold, NULL);
  for (;;) {
    for (int part = 0; part < 4; part++) {
      double from = at(CLOCK_MONOTONIC), used = at(CLOCK_THREAD_CPUTIME_ID);
      if (part == 0) doze(0.020);
      if (part == 1) spin(0.005);
      if (part == 2) contend();
      if (part == 3) write_disk(file, block);
      wall[part] += at(CLOCK_MONOTONIC) - from;
      cpu[part] += at(CLOCK_THREAD_CPUTIME_ID) - used;
    }
    if (at(CLOCK_MONOTONIC) - printed < 0.1) continue;
    printed = at(CLOCK_MONOTONIC);
    printf("%.4f", at(CLOCK_REALTIME));
    for (int part = 0; part < 4; part++) printf(" %.6f %.6f", wall[part], cpu[part]);
    printf("\n");
    fflush(stdout);
  }
}
