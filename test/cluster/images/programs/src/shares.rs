// As shares.c, in Rust: a release build as cargo makes it, without frame pointers.
use std::hint::black_box;
use std::time::Instant;

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

const CLOCK_THREAD_CPUTIME_ID: i32 = 3;

fn thread_us() -> i64 {
    let mut now = Timespec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mut now) };
    now.seconds * 1_000_000 + now.nanoseconds / 1000
}

#[inline(never)]
fn burn(state: u64) -> u64 {
    let mut value = black_box(state);
    for _ in 0..30000 {
        value ^= value << 13;
        value ^= value >> 7;
        value ^= value << 17;
    }
    value
}

#[inline(never)]
fn burn_for(us: i64) -> i64 {
    let start = thread_us();
    let mut now = start;
    let mut state = 1;
    while now - start < us {
        state = burn(state);
        now = thread_us();
    }
    black_box(state);
    now - start
}

// The compiler makes one function of equal ones, so that these three differ.
#[inline(never)]
fn sixty_percent(us: i64, spent: &mut i64) {
    *spent += burn_for(us);
}

#[inline(never)]
fn thirty_percent(us: i64, spent: &mut i64) {
    *spent += black_box(burn_for(us));
}

#[inline(never)]
fn ten_percent(us: i64, spent: &mut i64) {
    *spent += black_box(burn_for(black_box(us)));
}

#[inline(never)]
fn work() {
    let (mut sixty, mut thirty, mut ten, mut budget) = (0, 0, 0, 0);
    let mut printed = Instant::now();
    for round in 0i64.. {
        budget += 17000 + round * 5 % 13 * 1000;
        sixty_percent(budget * 60 / 100 - sixty, &mut sixty);
        thirty_percent(budget * 30 / 100 - thirty, &mut thirty);
        ten_percent(budget * 10 / 100 - ten, &mut ten);
        if printed.elapsed().as_secs() >= 1 {
            printed = Instant::now();
            println!("spent sixty_percent={sixty} thirty_percent={thirty} ten_percent={ten} us");
        }
    }
}

fn main() {
    work();
}
