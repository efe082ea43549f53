// What libraries built against glibc 2.36 call and glibc 2.34 lacks: arc4random(3), by getrandom(2) as glibc does.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>

void arc4random_buf(void* buffer, size_t bytes) {
  for (unsigned char* at = buffer; bytes > 0;) {
    const ssize_t got = getrandom(at, bytes, 0);
    if (got < 0) continue;  // EINTR: the only failure of a valid buffer and no flags
    at += got;
    bytes -= (size_t)got;
  }
}

uint32_t arc4random(void) {
  uint32_t word;
  arc4random_buf(&word, sizeof word);
  return word;
}
