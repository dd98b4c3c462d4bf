# A pool of threads as servers have it: `pool.py THREADS HOST PORT MILLISECONDS`. The main thread makes a job every so many milliseconds.
# A job is a question to the server at HOST:PORT, by a connection of its thread. Each second it prints one line of JSON: how long the threads
# were waiting for the answers (peer) and for jobs (queue), and how long they have existed (wall), in seconds summed over all threads.
import json, socket, sys, threading, time

threads, host, port, pause = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) / 1000
jobs = 0
is_new = threading.Condition()
times = [{"peer": 0.0, "queue": 0.0} for _ in range(threads)]
ready = threading.Barrier(threads + 1)


def work(number):
    global jobs
    with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as comm:
        comm.write(f"pool-1-thread-{number + 1}")
    connection = socket.create_connection((host, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ready.wait()
    while True:
        begun = time.monotonic()
        with is_new:
            while jobs == 0:
                is_new.wait()
            jobs -= 1
        taken = time.monotonic()
        connection.sendall(b"x")
        connection.recv(1)
        times[number]["queue"] += taken - begun
        times[number]["peer"] += time.monotonic() - taken


for number in range(threads):
    threading.Thread(target=work, args=(number,), daemon=True).start()
ready.wait()
began = printed = time.monotonic()
while True:
    time.sleep(pause)
    with is_new:
        jobs += 1
        is_new.notify()
    now = time.monotonic()
    if now - printed < 1:
        continue
    printed = now
    sums = {name: sum(each[name] for each in times) for name in ("peer", "queue")}
    print(json.dumps({**sums, "wall": threads * (now - began)}), flush=True)
