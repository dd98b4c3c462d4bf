// Waits that a recording finds as they are: ten threads, and one with a name that is made to mislead, wait for a lock that is never
// free; one reads from a socket that nobody writes to; and a "cycler" sleeps for three seconds and then runs for 30 ms, in turn. Beside
// them threads come and go. It prints when the cycler begins and ends each sleep, by the wall clock. test/e2e/offcpu.test.ts compares.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static double at(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void doze(double seconds) {
  struct timespec time = {seconds, (seconds - (int)seconds) * 1e9};
  nanosleep(&time, NULL);
}

static void *take(void *name) {
  prctl(PR_SET_NAME, name);
  pthread_mutex_lock(&lock);
  return NULL;
}

static void *listen_in_vain(void *nothing) {
  int ends[2];
  char byte;
  prctl(PR_SET_NAME, "reader");
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  if (read(ends[0], &byte, 1) != 1) return nothing;
  return NULL;
}

static void *cycle(void *nothing) {
  prctl(PR_SET_NAME, "cycler");
  for (;;) {
    double began = at(CLOCK_REALTIME), end;
    doze(3);
    printf("%.4f %.4f\n", began, at(CLOCK_REALTIME));
    fflush(stdout);
    end = at(CLOCK_THREAD_CPUTIME_ID) + 0.030;
    while (at(CLOCK_THREAD_CPUTIME_ID) < end) {
    }
  }
  return nothing;
}

static void *come_and_go(void *nothing) {
  prctl(PR_SET_NAME, "mayfly");
  doze(0.05);
  return nothing;
}

int main(void) {
  pthread_t thread;
  pthread_mutex_lock(&lock);
  for (int count = 0; count < 10; count++) pthread_create(&thread, NULL, take, "held");
  pthread_create(&thread, NULL, take, "a) R 1\n(b[c");
  pthread_create(&thread, NULL, listen_in_vain, NULL);
  pthread_create(&thread, NULL, cycle, NULL);
  for (;;) {
    pthread_create(&thread, NULL, come_and_go, NULL);
    pthread_join(thread, NULL);
    doze(0.2);
  }
}
