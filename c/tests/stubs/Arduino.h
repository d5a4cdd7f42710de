/* The part of Arduino's core that the example sketch uses. */
#include <stddef.h>
#include <stdint.h>

struct Stream {
  void begin(unsigned long);
  int available();
  int read();
  void println(const char *);
};

extern Stream Serial;
