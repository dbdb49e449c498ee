// What backend.c and load.c agree on: the response header has one fixed length, so the loader
// knows from the first byte how many it has to count.

#ifndef FAIRLEAD_BENCH_WIRE_H
#define FAIRLEAD_BENCH_WIRE_H

#include <stdio.h>
#include <string.h>

enum { HEADER_BYTES = 80 };

static inline void write_header(char *space, long body) {
    char text[HEADER_BYTES + 1];
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 200 OK\r\nContent-Length: %010ld\r\nX-Fill: ", body);
    memset(text + n, '-', (size_t)(HEADER_BYTES - 4 - n));
    memcpy(text + HEADER_BYTES - 4, "\r\n\r\n", 4);
    memcpy(space, text, HEADER_BYTES);
}

#endif
