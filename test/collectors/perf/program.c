// A program with known shares of CPU time, 60, 30 and 10 %, that can also be a container for itself, and a server that starts
// it for each request. The names of its functions are given to the compiler, so that two builds at one path can be told apart.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile long sink;

static long used(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

// Reading the clock is the kernel's time, so it is read seldom.
#define BURN(name)                                       \
  __attribute__((noinline)) void name(long until) {      \
    while (used() < until)                               \
      for (int i = 0; i < 300000; i++) sink += i;        \
  }

BURN(NAME_60)
BURN(NAME_30)
BURN(NAME_10)

// burn MILLISECONDS: uses so much CPU time.
static int burn(long ms) {
  long most = ms * 1000;
  for (long done = used(); done < most;) {
    long slice = most < 50000 ? most : 50000;
    NAME_60(done + slice * 6 / 10);
    NAME_30(done + slice * 9 / 10);
    NAME_10(done += slice);
  }
  return 0;
}

// serve PAUSE: runs /app for each request. fork PAUSE: does the work of a request in a child that is not another program.
static void serve(const char *how, long pause) {
  for (;;) {
    pid_t child = fork();
    if (child == 0) {
      if (strcmp(how, "serve") == 0) execl("/app", "/app", "burn", "50", (char *)0);
      _exit(burn(50));
    }
    waitpid(child, 0, 0);
    usleep(pause * 1000);
  }
}

// contain CGROUP.PROCS ROOT …: goes on in that cgroup, in a mount namespace of its own, with that folder as its root.
static int contain(const char *procs, const char *root) {
  int file = open(procs, O_WRONLY);
  return file >= 0 && write(file, "0", 1) == 1 && close(file) == 0 && unshare(CLONE_NEWNS) == 0 &&
         mount("none", "/", 0, MS_REC | MS_PRIVATE, 0) == 0 && mount(root, root, 0, MS_BIND, 0) == 0 && chdir(root) == 0 &&
         syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
}

int main(int argc, char **argv) {
  if (argc > 4 && strcmp(argv[1], "contain") == 0) {
    if (!contain(argv[2], argv[3])) return 1;
    return execv("/server", argv + 3);
  }
  if (argc != 3) return 2;
  if (strcmp(argv[1], "burn") == 0) return burn(atol(argv[2]));
  if (strcmp(argv[1], "run") == 0) return execl("/app", "/app", "burn", argv[2], (char *)0);
  serve(argv[1], atol(argv[2]));
}
