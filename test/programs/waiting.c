// Threads that wait, each in its own way, for as long as the program runs: `waiting ROLE…`. Each prints `ROLE TID` when it is about to
// wait. The names of threads are those of their roles, or what stands behind `name=`. `many=N` makes N threads that sleep, and `churn`
// makes threads that live for a tenth of a second.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static int silent, answers; // ports of servers
static char path[90]; // the Unix socket of one

static void milliseconds(int n) { nanosleep(&(struct timespec){n / 1000, n % 1000 * 1000000L}, NULL); }

static int listening(int *port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
  socklen_t length = sizeof at;
  if (bind(fd, (void *)&at, sizeof at) || listen(fd, 50) || getsockname(fd, (void *)&at, &length)) exit(1);
  *port = ntohs(at.sin_port);
  return fd;
}

static int connected(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
  if (connect(fd, (void *)&at, sizeof at)) exit(2);
  return fd;
}

// A connection on which a request was answered, after 50 ms.
static int answered(void) {
  int fd = connected(answers);
  char byte;
  if (write(fd, "x", 1) != 1 || read(fd, &byte, 1) != 1) exit(3);
  return fd;
}

// A connection on which a request will never be answered.
static int asked(void) {
  int fd = connected(silent);
  if (write(fd, "x", 1) != 1) exit(4);
  return fd;
}

static void *answer(void *fd) {
  char byte;
  while (read((int)(long)fd, &byte, 1) == 1) {
    milliseconds(50);
    if (write((int)(long)fd, &byte, 1) != 1) break;
  }
  return NULL;
}

static void *serve(void *fd) {
  for (;;) {
    int client = accept((int)(long)fd, NULL, NULL);
    pthread_t thread;
    if (client >= 0) pthread_create(&thread, NULL, answer, (void *)(long)client);
  }
  return NULL;
}

static int local(const char *name, int is_server) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un at = {AF_UNIX, ""};
  strcpy(at.sun_path, name);
  if (is_server ? bind(fd, (void *)&at, sizeof at) || listen(fd, 5) : connect(fd, (void *)&at, sizeof at)) exit(6);
  return fd;
}

static void *nothing(void *unused) {
  milliseconds(100);
  return unused;
}

static void say(const char *role) {
  printf("%s %d\n", role, gettid());
  fflush(stdout);
}

static void epoll_on(const char *role, int one, int other) {
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(epoll, EPOLL_CTL_ADD, one, &event);
  epoll_ctl(epoll, EPOLL_CTL_ADD, other, &event);
  say(role);
  epoll_wait(epoll, &event, 1, -1);
}

static void *play(void *word) {
  char *role = word, buffer[1 << 16] = {0};
  int pipes[2];
  sigset_t signals;
  pthread_setname_np(pthread_self(), strncmp(role, "name=", 5) ? role : role + 5);
  if (pipe(pipes)) exit(5);
#define IS(name) (strcmp(role, name) == 0)
  if (IS("mutex")) say(role), pthread_mutex_lock(&held);
  if (IS("cond")) {
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&own);
    say(role), pthread_cond_wait(&never, &own);
  }
  if (IS("pipe")) say(role), (void)!read(pipes[0], buffer, 1);
  if (IS("eventfd")) say(role), (void)!read(eventfd(0, 0), buffer, 8);
  if (IS("timerfd")) {
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec far = {{0, 0}, {100000, 0}};
    timerfd_settime(timer, 0, &far, NULL);
    say(role), (void)!read(timer, buffer, 8);
  }
  if (IS("recv-asked")) {
    int fd = asked();
    say(role), (void)!recv(fd, buffer, 1, 0);
  }
  if (IS("recv-answered")) {
    int fd = answered();
    say(role), (void)!recv(fd, buffer, 1, 0);
  }
  if (IS("poll-asked")) {
    struct pollfd list[] = {{answered(), POLLIN, 0}, {asked(), POLLIN, 0}, {pipes[0], POLLIN, 0}};
    say(role), poll(list, 3, -1);
  }
  if (IS("poll-answered")) {
    struct pollfd list[] = {{answered(), POLLIN, 0}, {answered(), POLLIN, 0}};
    say(role), poll(list, 2, -1);
  }
  if (IS("poll-nothing")) say(role), poll(NULL, 0, -1);
  if (IS("select-asked")) {
    fd_set set;
    FD_ZERO(&set);
    int one = answered(), two = asked();
    FD_SET(one, &set), FD_SET(two, &set);
    say(role), select((one > two ? one : two) + 1, &set, NULL, NULL, NULL);
  }
  if (IS("epoll-asked")) epoll_on(role, answered(), asked());
  if (IS("epoll-answered")) epoll_on(role, answered(), pipes[0]);
  if (IS("epoll-nothing")) say(role), epoll_wait(epoll_create1(0), &(struct epoll_event){0}, 1, -1);
  if (IS("accept")) {
    int port, fd = listening(&port);
    say(role), accept(fd, NULL, NULL);
  }
  if (IS("served")) {
    int port, fd = listening(&port);
    connected(port);
    fd = accept(fd, NULL, NULL);
    say(role), (void)!read(fd, buffer, 1);
  }
  if (IS("send")) {
    int fd = connected(silent);
    say(role);
    while (write(fd, buffer, sizeof buffer) > 0);
  }
  if (IS("unix")) {
    int fd = local(path, 0);
    say(role), (void)!read(fd, buffer, 1);
  }
  if (IS("unix-served")) {
    char name[100];
    sprintf(name, "%s served", path);
    int server = local(name, 1), fd;
    local(name, 0);
    fd = accept(server, NULL, NULL);
    say(role), (void)!read(fd, buffer, 1);
  }
  if (IS("udp")) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {AF_INET, htons(9), {htonl(INADDR_LOOPBACK)}, {0}};
    if (connect(fd, (void *)&to, sizeof to)) exit(8);
    say(role), (void)!recv(fd, buffer, 1, 0);
  }
  if (IS("child")) {
    pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      pause();
      _exit(0);
    }
    say(role), waitpid(pid, NULL, 0);
  }
  if (IS("signal")) sigemptyset(&signals), sigaddset(&signals, SIGUSR2), say(role), sigwaitinfo(&signals, NULL);
  if (IS("flock")) {
    char name[] = "/tmp/waiting lock XXXXXX";
    int fd = mkstemp(name), other = open(name, O_RDWR);
    flock(fd, LOCK_EX);
    say(role);
    flock(other, LOCK_EX);
  }
  if (IS("churn")) {
    say(role);
    for (;;) {
      pthread_t thread;
      pthread_create(&thread, NULL, nothing, NULL);
      pthread_join(thread, NULL);
    }
  }
  if (IS("spin")) {
    say(role);
    for (volatile long n = 0;; n++);
  }
  if (IS("cycle")) {
    say(role);
    for (;;) milliseconds(100);
  }
  if (IS("sleep") || strncmp(role, "name=", 5) == 0) say("sleep");
  for (;;) milliseconds(1000000000);
}

int main(int count, char **words) {
  pthread_t thread;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 1 << 18);
  pthread_mutex_lock(&held);
  int fd = listening(&answers);
  pthread_create(&thread, &small, serve, (void *)(long)fd);
  listening(&silent);
  // Beside the program: pids repeat, and a socket that an earlier process left in a folder for all would be in the way.
  snprintf(path, sizeof path, "%s %d", words[0], getpid());
  pthread_create(&thread, &small, serve, (void *)(long)local(path, 1));
  printf("main %d\nsilent %d\n", getpid(), silent);
  fflush(stdout);
  for (int at = 1; at < count; at++) {
    long many = strncmp(words[at], "many=", 5) == 0 ? atol(words[at] + 5) : 1;
    for (long n = 0; n < many; n++)
      if (pthread_create(&thread, &small, play, many > 1 ? "many" : words[at])) exit(10);
  }
  printf("ready 0\n");
  fflush(stdout);
  // It ends with the test.
  while (getppid() != 1) milliseconds(200);
  return 0;
}
