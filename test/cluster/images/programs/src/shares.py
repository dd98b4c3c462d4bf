# As shares.c, in Python.
import time


def clock_us():
    return time.clock_gettime_ns(time.CLOCK_THREAD_CPUTIME_ID) // 1000


def burn():
    value = 1
    for _ in range(1000):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
    return value


def burn_for(us):
    start = now = clock_us()
    while now - start < us:
        burn()
        now = clock_us()
    return now - start


def sixty_percent(us):
    return burn_for(us)


def thirty_percent(us):
    return burn_for(us)


def ten_percent(us):
    return burn_for(us)


def work():
    sixty = thirty = ten = budget = turn = 0
    printed = time.monotonic()
    while True:
        budget += 17000 + turn * 5 % 13 * 1000
        turn += 1
        sixty += sixty_percent(budget * 60 // 100 - sixty)
        thirty += thirty_percent(budget * 30 // 100 - thirty)
        ten += ten_percent(budget * 10 // 100 - ten)
        if time.monotonic() - printed >= 1:
            printed = time.monotonic()
            print(f"spent sixty_percent={sixty} thirty_percent={thirty} ten_percent={ten} us", flush=True)


work()
