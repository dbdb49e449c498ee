// The C face of Linux for the Kernel module: calls that Swift cannot import well, or that are
// made for every byte. Each returns a count or 0 when it went well and -errno when it did not;
// EINTR is retried inside. No other module imports this.
#ifndef FAIRLEAD_CLINUX_H
#define FAIRLEAD_CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "CLinuxNetwork.h"

// A socket address of any family we use, ready for bind(2) and connect(2).
struct fl_sockaddr {
  uint32_t length;
  uint32_t family;
  uint64_t storage[14];
};

// An IP end point in host byte order. family: 4, 6, or 0 for anything else (Unix sockets).
struct fl_endpoint {
  uint8_t family;
  uint8_t reserved;
  uint16_t port;
  uint32_t scope;
  uint64_t high;
  uint64_t low;
};

int fl_sockaddr_ip(struct fl_sockaddr *out, const struct fl_endpoint *from);
int fl_sockaddr_unix(struct fl_sockaddr *out, const char *path, size_t length, int abstract);

int fl_epoll_create(void);
int fl_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t cookie);
int fl_epoll_wait(int epoll, struct epoll_event *events, int capacity, int timeout_ms);

int fl_socket(int family, int type);
int fl_bind(int fd, const struct fl_sockaddr *address);
int fl_listen(int fd, int backlog);
int fl_connect(int fd, const struct fl_sockaddr *address);
int fl_accept(int fd, struct fl_endpoint *peer);
int fl_local_endpoint(int fd, struct fl_endpoint *out);
int fl_peer_endpoint(int fd, struct fl_endpoint *out);
int fl_set_option(int fd, int level, int name, int value);
int fl_get_option(int fd, int level, int name, int *value);
int fl_set_reset_on_close(int fd);
int fl_bind_to_device(int fd, const char *name);
int fl_shutdown_write(int fd);
int fl_close(int fd);

long fl_receive(int fd, void *bytes, size_t count);
long fl_peek(int fd, void *bytes, size_t count);
long fl_discard(int fd, size_t count);
long fl_send(int fd, const void *bytes, size_t count);
long fl_send_before_end(int fd, const void *bytes, size_t count);
long fl_send_to(int fd, const void *bytes, size_t count, const struct fl_sockaddr *address);
long fl_write(int fd, const void *bytes, size_t count);
long fl_splice_in(int socket, int pipe, size_t count);
long fl_splice_out(int pipe, int socket, size_t count);
int fl_pipe(int *read_end, int *write_end, int capacity);
int fl_poll_writable(int fd, int timeout_ms);
int fl_poll_readable(int fd, int timeout_ms);

long fl_read(int fd, void *bytes, size_t count);
int fl_inotify_open(void);
int fl_inotify_add(int inotify, const char *path, uint32_t mask);
int fl_inotify_remove(int inotify, int watch);
// Offsets in struct inotify_event are fixed by the kernel's interface.
// Reads the event at `offset` of a buffer of `count` bytes that fl_read filled: the offset of the
// next one, or 0 when there is no whole event.
size_t fl_inotify_event(const void *bytes, size_t count, size_t offset, int *watch, uint32_t *mask);
// A close-on-exec descriptor that becomes readable when the process ends.
int fl_pidfd_open(int pid);

int fl_eventfd(void);
int fl_eventfd_signal(int fd);
int fl_eventfd_drain(int fd);

int64_t fl_monotonic_us(void);
int64_t fl_realtime_us(void);

int fl_cpu_count(void);
int fl_thread_name(const char *name);
int fl_limit_descriptors(uint64_t *soft, uint64_t *hard);
int fl_raise_descriptors(uint64_t want);
// Seconds since the epoch to broken-down local time; offset is minutes east of UTC.
struct fl_calendar {
  int year, month, day, hour, minute, second, offset_minutes;
};
void fl_local_time(int64_t seconds, struct fl_calendar *out);
void fl_utc_time(int64_t seconds, struct fl_calendar *out);
const char *fl_error_text(int error);
void *fl_reserve(size_t bytes);
void fl_release(void *memory, size_t bytes);

#endif
