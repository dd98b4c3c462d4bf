// As shares.c, in Java.
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

class Shares {
  static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
  static long state = 1;
  static long sixty, thirty, ten;

  static long clockUs() {
    return THREADS.getCurrentThreadCpuTime() / 1000;
  }

  static void burn() {
    long value = state;
    for (int i = 0; i < 30000; i++) {
      value ^= value << 13;
      value ^= value >>> 7;
      value ^= value << 17;
    }
    state = value;
  }

  static long burn_for(long us) {
    long start = clockUs();
    long now = start;
    while (now - start < us) {
      burn();
      now = clockUs();
    }
    return now - start;
  }

  static void sixty_percent(long us) {
    sixty += burn_for(us);
  }

  static void thirty_percent(long us) {
    thirty += burn_for(us);
  }

  static void ten_percent(long us) {
    ten += burn_for(us);
  }

  static void work() {
    long budget = 0;
    long printed = System.nanoTime();
    for (long round = 0; ; round++) {
      budget += 17000 + round * 5 % 13 * 1000;
      sixty_percent(budget * 60 / 100 - sixty);
      thirty_percent(budget * 30 / 100 - thirty);
      ten_percent(budget * 10 / 100 - ten);
      if (System.nanoTime() - printed < 1_000_000_000L) continue;
      printed = System.nanoTime();
      System.out.println(
          "spent sixty_percent=" + sixty + " thirty_percent=" + thirty + " ten_percent=" + ten + " us");
    }
  }

  public static void main(String[] words) {
    work();
  }
}
