// Another tenant's program: its function's name is in no file of a recording of anything else.
#define OWN_FRAME __attribute__((noinline, noipa))

static volatile unsigned long state = 1;

OWN_FRAME static void not_yours_neighbour(void) {
  unsigned long value = state;
  for (int i = 0; i < 100000000; i++) {
    value ^= value << 13;
    value ^= value >> 7;
    value ^= value << 17;
  }
  state = value;
}

int main(void) {
  for (;;) not_yours_neighbour();
}
